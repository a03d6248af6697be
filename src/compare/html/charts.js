'use strict';
// From a chart of the page's data (chart.h has its fields) to a configuration of Chart.js: what is
// drawn and how. Knows neither the page nor its controls.

// After Okabe and Ito's colours, moved until they stand out from the page and any two differ by a
// Delta-E 2000 of 10 with every kind of colour vision (tests/report/palette_test.js). The base is
// a neutral one; markers and dashes, as many as there are colours, say the same again.
// Sides without a colour are `others`: there, but behind.
const THEMES = {
  light: {
    others: '#c3c8ce',
    page: '#ffffff', text: '#1b1f24', muted: '#5b6470', line: '#d9dde3', band: '#eceff3',
    sides: ['#596068', '#1064d1', '#d4691f', '#09805e', '#b0568f', '#795a00', '#2a8fc4'],
  },
  dark: {
    others: '#4a525c',
    page: '#14171b', text: '#e6e9ed', muted: '#a0a9b5', line: '#353c45', band: '#23282e',
    sides: ['#c5c9ce', '#1e87d9', '#e88538', '#2ec492', '#cf89b7', '#efcb50', '#90a9ff'],
  },
};
// Shape and rotation; all have an inside, which hollow points leave empty.
const MARKERS = [
  ['rect', 0], ['circle', 0], ['triangle', 0], ['rectRot', 0], ['triangle', 180],
  ['triangle', 90], ['triangle', 270],
];
const DASHES = [
  [6, 4], [], [2, 3], [10, 3, 2, 3], [14, 4], [4, 8], [8, 3, 2, 3, 2, 3],
];

const thousands = (value) => value.toLocaleString('en-US', { maximumFractionDigits: 0 });
const digits = (value) => Number(value.toPrecision(3)).toString();

const withMinus = (text) => text.replace('-', '\u2212');

// A value in the largest unit that leaves something before the point.
function scaled(value, units, step) {
  let unit = 0;
  let rest = value;
  while (Math.abs(rest) >= step && unit < units.length - 1) {
    rest /= step;
    unit += 1;
  }
  return `${digits(rest)} ${units[unit]}`;
}

// By the names of html::Quantity.
const FORMATS = {
  per_second: (value) => (value < 100 ? digits(value) : thousands(value)),
  nanoseconds: (value) => (value === 0 ? '0' : scaled(value, ['ns', 'us', 'ms', 's'], 1000)),
  bytes: (value) => scaled(value, ['B', 'KiB', 'MiB', 'GiB'], 1024),
  count: (value) => (Math.abs(value) < 1000 ? digits(value) : thousands(value)),
  seconds: (value) => withMinus(`${digits(value)} s`),
  change: (value) => withMinus(`${value > 0 ? '+' : ''}${digits(value * 100)}%`),
  times: (value) => `${digits(value)} \u00d7`,
  tail: (value) => `${Number((100 - 100 / value).toPrecision(Math.ceil(Math.log10(value)) + 2))}%`,
};
const formatted = (axis, value) => FORMATS[axis.quantity](value);

const isNumber = (value) => typeof value === 'number';

// A point as the data has it: [x, y, low, high, hollow, text]. Where it is drawn, x and y, may
// differ from `at` and `value`.
function toPoint([x, y, low, high, hollow, text]) {
  return { x, y, at: x, value: y, low, high, hollow: Boolean(hollow), text };
}

// Repeats stand on both sides of their row.
function turn(points) {
  const seen = new Map();
  for (const point of points) {
    const repeat = seen.get(point.at) || 0;
    seen.set(point.at, repeat + 1);
    point.x = point.value;
    point.y = point.at + (isNumber(point.low) ? 0 : ((repeat * 2) % 5 - 2) * 0.09);
  }
}

// Sides that share an x are drawn beside each other, or their intervals would hide one another.
function spreadOut(chart, points, side, sides) {
  const offset = (side - (sides - 1) / 2) * Math.min(1, 7 / sides);
  if (chart.x.scale === 'category') {
    const width = Math.min(0.6 / sides, 0.22);
    const seen = new Map();
    for (const point of points) {
      const repeat = seen.get(point.at) || 0;
      seen.set(point.at, repeat + 1);
      point.x = point.at + offset * width + ((repeat % 5) - 2) * width * 0.12;
    }
  } else if (chart.x.scale === 'logarithmic' && points.some((point) => isNumber(point.low))) {
    for (const point of points) point.x = point.at * 1.05 ** offset;
  }
}

// A longer name would leave no room for the chart; on a telephone the axis gets half of its width.
const LABEL_MAX = 40;
const SMALL_WIDTH = 480;
const LABEL_MAX_SMALL = 22;
function shortened(text, width) {
  const most = width < SMALL_WIDTH ? LABEL_MAX_SMALL : LABEL_MAX;
  return text.length > most ? `${text.slice(0, most - 1)}\u2026` : text;
}

const manyLines = (chart, sides) => chart.series.length > 2 * sides.length;
// A line of fewer points than this shows them: of a single one there is nothing else to see.
const POINTS_OF_A_LINE = 4;
// Markers would hide the lines.
const isCrowded = (chart, sides) => (
  manyLines(chart, sides) || chart.series.some((series) => series.points.length > 40));

const isMarkerless = (figure, chart, points, sides) => (
  figure.draw === 'lines' && isCrowded(chart, sides) && points.length >= POINTS_OF_A_LINE);
const allMarkerless = (figure, chart, sides) => (
  chart.series.every((series) => isMarkerless(figure, chart, series.points, sides)));

function radiusOf(markerless, behind) {
  if (markerless) return 0;
  return behind ? 2 : 4.5;
}

function toDataset(figure, chart, series, sides, theme) {
  const points = series.points.map(toPoint).filter((point) => isNumber(point.y));
  const bars = figure.draw === 'bars';
  if (chart.sideways && !bars) turn(points);
  else if (!bars) spreadOut(chart, points, series.side, sides.length);
  const slot = chart.sideways ? 1 : sides[series.side].color;
  const behind = slot === null;
  const color = behind ? theme.others : theme.sides[slot];
  // Where the names are on the axis, colour has nothing to tell but which is the base.
  const colorOf = (point) => (
    chart.sideways && point && chart.categories[point.at] === sides[0].name
      ? theme.sides[0] : color);
  const markerless = isMarkerless(figure, chart, points, sides);
  // Where dashes tell metrics apart, markers have to do for the sides.
  const metrics = chart.series.some((other) => other.dashed);
  const dashes = metrics || behind ? [] : DASHES[slot];
  const [shape, rotation] = MARKERS[behind ? 1 : slot];
  const fill = (point) => (point && point.hollow ? theme.page : colorOf(point));
  return {
    label: series.name,
    series,
    behind,
    order: behind ? 1 : 0,
    data: bars ? byCategory(chart, points) : points,
    showLine: figure.draw === 'lines',
    borderColor: color,
    backgroundColor: (context) => (bars ? colorOf(context.raw) : fill(context.raw)),
    pointBorderColor: points.map(colorOf),
    pointBackgroundColor: points.map(fill),
    pointStyle: shape,
    pointRotation: rotation,
    pointRadius: radiusOf(markerless, behind),
    pointHoverRadius: markerless ? 4 : 6,
    pointBorderWidth: 1.5,
    borderWidth: {
      bars: 0, dots: 2, lines: behind || manyLines(chart, sides) ? 1.25 : 2,
    }[figure.draw],
    borderDash: series.dashed ? [3, 4] : dashes,
    maxBarThickness: 36,
    clip: 6,  // a marker at the edge is drawn as a whole
  };
}

function byCategory(chart, points) {
  return chart.categories.map((_, index) => points.find((point) => point.at === index) || null);
}

// These multiples of the powers of ten, as far as they lie within the range.
function multiples(factors, min, max) {
  const ticks = [];
  for (let exponent = Math.floor(Math.log10(min)); 10 ** exponent <= max; exponent += 1) {
    for (const factor of factors) {
      const value = factor * 10 ** exponent;
      if (value >= min && value <= max) ticks.push({ value });
    }
  }
  return ticks;
}

// The coarsest steps of a logarithmic axis that give it some ticks to read. Within half a decade
// even ones do, as on a linear axis.
function decadeTicks(min, max) {
  for (const factors of [[1], [1, 2, 5], [1, 1.5, 2, 3, 4, 5, 6, 8]]) {
    const ticks = multiples(factors, min, max);
    if (ticks.length > 3) return ticks;
  }
  const [{ value: step }] = multiples([1, 2, 5], (max - min) / 6, max);
  const first = Math.ceil(min / step);
  const count = Math.floor(max / step) - first + 1;
  return Array.from({ length: count }, (_, index) => ({ value: (first + index) * step }));
}

function xTicks(chart, xs) {
  if (chart.x.quantity === 'tail') {
    return [{ value: 1 }, { value: 2 }, ...multiples([1], 10, Math.max(...xs))];
  }
  return [...new Set(xs)].sort((a, b) => a - b).map((value) => ({ value }));
}

function scaleBase(axis, theme) {
  return {
    type: axis.scale === 'logarithmic' ? 'logarithmic' : 'linear',
    title: { display: true, text: axis.title, color: theme.muted },
    grid: { color: theme.line, drawBorder: false, tickLength: 4 },
    ticks: { color: theme.muted, callback: (value) => formatted(axis, value) },
  };
}

// The axis that has the categories of bars, or of a sideways chart.
function categoryScale(figure, chart, theme) {
  const base = scaleBase(chart.x, theme);
  base.title.display = false;
  base.grid.display = chart.sideways && figure.draw !== 'bars';
  if (chart.sideways) {
    base.ticks.autoSkip = false;
    base.ticks.color = theme.text;
  }
  base.ticks.callback = function label(value) {
    return shortened(chart.categories[value] || '', this.chart.width);
  };
  if (figure.draw === 'bars') return { ...base, type: 'category', labels: chart.categories };
  base.min = -0.5;
  base.max = chart.categories.length - 0.5;
  base.reverse = chart.sideways;
  base.afterBuildTicks = (axis) => { axis.ticks = chart.categories.map((_, value) => ({ value })); };
  return base;
}

function xScale(chart, theme) {
  const base = scaleBase(chart.x, theme);
  const xs = chart.series.flatMap((series) => series.points.map((point) => point[0]));
  const low = Math.min(...xs);
  const high = Math.max(...xs);
  if (chart.x.scale === 'logarithmic') {
    const margin = chart.x.quantity === 'tail' ? 1 : 1.3;
    base.min = low / margin;
    base.max = high * margin;
  } else {
    base.min = Math.min(low, 0, ...chart.bands.map((band) => band.from));
    base.max = chart.bands.length ? high : undefined;
  }
  if (chart.x.scale !== 'linear') {
    base.afterBuildTicks = (axis) => { axis.ticks = xTicks(chart, xs); };
    base.ticks.autoSkip = false;
  }
  return base;
}

function yScale(chart, theme) {
  const base = scaleBase(chart.y, theme);
  let values = chart.series.flatMap(
    (series) => series.points.flatMap((point) => point.slice(1, 4)));
  values = [...values, chart.reference].filter(isNumber);
  const low = Math.min(...values);
  const high = Math.max(...values);
  if (chart.y.scale === 'logarithmic') {
    base.min = low / 1.2;
    base.max = high * 1.2;
    base.afterBuildTicks = (axis) => { axis.ticks = decadeTicks(axis.min, axis.max); };
  } else {
    base.suggestedMin = Math.min(low, 0);
    base.suggestedMax = high;
    base.grace = '4%';
    base.beginAtZero = true;
  }
  return base;
}

function scales(figure, chart, theme) {
  const along = chart.x.scale === 'category'
    ? categoryScale(figure, chart, theme) : xScale(chart, theme);
  const values = yScale(chart, theme);
  return chart.sideways ? { x: values, y: along } : { x: along, y: values };
}

function textOf(chart, point) {
  if (point.text) return point.text;
  const text = formatted(chart.y, point.value);
  if (!isNumber(point.low)) return text;
  return `${text} (${formatted(chart.y, point.low)} to ${formatted(chart.y, point.high)})`;
}

function tooltip(chart) {
  const heading = (point) => (
    chart.x.scale === 'category' ? chart.categories[point.at]
      : `${chart.x.title}: ${formatted(chart.x, point.at)}`);
  return {
    callbacks: {
      title: (items) => (items.length ? heading(items[0].raw) : ''),
      label: (item) => `${item.dataset.label}: ${textOf(chart, item.raw)}`,
    },
    usePointStyle: true,
  };
}

// One entry per way of drawing: the repeats of a side have one together, and so have all sides
// that have no colour.
function legend(figure, chart, sides, theme) {
  const isBehind = ({ side }) => sides[side].color === null;
  const same = (a, b) => (
    isBehind(a) ? isBehind(b) : a.side === b.side && a.dashed === b.dashed);
  const isFirst = (series) => chart.series.find((other) => same(other, series)) === series;
  const others = new Set(chart.series.filter(isBehind).map(({ side }) => side)).size;
  const textOfEntry = ({ series, label }) => {
    if (isBehind(series)) return `${others} more, named when pointed at`;
    return chart.series.filter((other) => same(other, series)).length > 1
      ? sides[series.side].name : label;
  };
  return {
    display: !chart.sideways,
    align: 'start',
    onClick: () => {},
    labels: {
      color: theme.text,
      usePointStyle: true,
      padding: 16,
      boxHeight: 7,
      pointStyleWidth: allMarkerless(figure, chart, sides) ? 26 : undefined,
      // The one for the others is the last.
      generateLabels: ({ data }) => data.datasets.filter(({ series }) => isFirst(series))
        .sort((a, b) => a.order - b.order).map((dataset) => ({
          text: textOfEntry(dataset),
          fontColor: theme.text,
          fillStyle: dataset.borderColor,
          strokeStyle: dataset.borderColor,
          lineWidth: 2,
          rotation: dataset.pointRadius === 0 ? 0 : dataset.pointRotation,
          // A line without markers is known by its dashes.
          pointStyle: dataset.pointRadius === 0 ? 'line' : dataset.pointStyle,
          lineDash: dataset.pointRadius === 0 ? dataset.borderDash.map((dash) => dash / 2) : [],
        })),
    },
  };
}

// Above the line, as near to it as the chart's ends leave room.
function nameReference(ctx, chart, area, at, theme) {
  const text = shortened(chart.reference_label, area.width);
  ctx.font = `12px ${Chart.defaults.font.family}`;
  const half = ctx.measureText(text).width / 2;
  ctx.fillStyle = theme.muted;
  ctx.textAlign = 'center';
  ctx.textBaseline = 'bottom';
  ctx.fillText(text, Math.max(Math.min(at, area.right - half), area.left + half), area.top - 5);
}

// Across the chart, with its name where there is nothing beside the line that says it.
function drawReference({ ctx, chartArea: area, scales: { x, y } }, chart, theme) {
  if (!isNumber(chart.reference)) return;
  const at = Math.round((chart.sideways ? x : y).getPixelForValue(chart.reference)) + 0.5;
  ctx.save();
  ctx.strokeStyle = theme.text;
  ctx.setLineDash([4, 4]);
  ctx.beginPath();
  if (chart.sideways) {
    nameReference(ctx, chart, area, at, theme);
    ctx.moveTo(at, area.top - 4);
    ctx.lineTo(at, area.bottom);
  } else {
    ctx.moveTo(area.left, at);
    ctx.lineTo(area.right, at);
  }
  ctx.stroke();
  ctx.restore();
}

// Everything behind the data: the page's colour, so that a saved picture is not transparent, bands
// and the reference line; bars that begin at one end would hide that.
function backdrop(figure, chart, theme) {
  const before = figure.draw !== 'bars';
  return {
    id: 'backdrop',
    beforeDraw({ ctx, width, height }) {
      ctx.save();
      ctx.fillStyle = theme.page;
      ctx.fillRect(0, 0, width, height);
      ctx.restore();
    },
    beforeDatasetsDraw(drawing) {
      const { ctx, chartArea: area, scales: { x } } = drawing;
      ctx.save();
      for (const band of chart.bands) {
        const from = x.getPixelForValue(band.from);
        const to = x.getPixelForValue(band.to);
        ctx.fillStyle = theme.band;
        ctx.fillRect(from, area.top, to - from, area.height);
        ctx.fillStyle = theme.muted;
        ctx.textBaseline = 'top';
        ctx.font = `12px ${Chart.defaults.font.family}`;
        ctx.fillText(band.label, from + 6, area.top + 6, Math.max(to - from - 8, 1));
      }
      ctx.restore();
      if (before) drawReference(drawing, chart, theme);
    },
    afterDatasetsDraw(drawing) {
      if (!before) drawReference(drawing, chart, theme);
    },
  };
}

// Intervals, in front of lines and behind nothing. Those of sides without a colour are left out.
const errorBars = {
  id: 'errorBars',
  beforeDatasetDraw(chart, { meta }) {
    const { ctx, scales: { x, y } } = chart;
    const dataset = chart.data.datasets[meta.index];
    const { sideways } = chart.options;
    const scale = sideways ? x : y;
    if (dataset.behind) return;
    ctx.save();
    ctx.lineWidth = 1.5;
    meta.data.forEach((element, index) => {
      const point = dataset.data[index];
      if (!point || !isNumber(point.low) || !isNumber(point.high)) return;
      ctx.strokeStyle = element.options.borderColor;
      // Along the interval, and across it.
      const at = sideways ? element.y : element.x;
      const line = (from, to, across, beyond) => (sideways
        ? [[from, across], [to, beyond]] : [[across, from], [beyond, to]]);
      const ends = [point.low, point.high].map((value) => scale.getPixelForValue(value));
      ctx.beginPath();
      for (const [from, to] of [line(...ends, at, at),
        ...ends.map((end) => line(end, end, at - 4, at + 4))]) {
        ctx.moveTo(...from);
        ctx.lineTo(...to);
      }
      ctx.stroke();
    });
    ctx.restore();
  },
};

// Chart.js has no room between the legend and the chart; the highest tick needs some.
const legendGap = {
  id: 'legendGap',
  beforeInit(chart) {
    const { fit } = chart.legend;
    chart.legend.fit = function fitWithGap() {
      fit.call(this);
      this.height += 10;
    };
  },
};

// The configuration of one chart of a figure; `sides` have a name and a colour, an index or null.
function chartConfig(figure, chart, sides, theme) {
  const bars = figure.draw === 'bars';
  const keys = chart.sideways ? ['value', 'at'] : ['at', 'value'];
  return {
    type: bars ? 'bar' : 'scatter',
    data: {
      datasets: chart.series.map((series) => toDataset(figure, chart, series, sides, theme)),
    },
    options: {
      animation: false,
      maintainAspectRatio: false,
      sideways: chart.sideways,
      indexAxis: chart.sideways && bars ? 'y' : 'x',
      parsing: bars ? { xAxisKey: keys[0], yAxisKey: keys[1] } : undefined,
      interaction: { mode: 'nearest', intersect: false },
      layout: { padding: { top: chart.sideways ? 12 : 0 } },
      scales: scales(figure, chart, theme),
      plugins: {
        legend: legend(figure, chart, sides, theme),
        tooltip: tooltip(chart),
        title: {
          display: false, text: [figure.title, chart.label].filter(Boolean).join(': '),
          align: 'start', color: theme.text,
        },
      },
    },
    plugins: [backdrop(figure, chart, theme), errorBars, legendGap],
  };
}
