'use strict';
// The HTML report as a reader has it: drawn, legible in light, dark, on paper and on a small
// screen, by mouse and by keyboard, and harmless whatever the results' labels say.
const assert = require('node:assert');
const fs = require('node:fs');
const test = require('node:test');
const { Browser, playwright } = require('./browser.js');

const CHARTED = ['engines', 'open-loop', 'short', 'many', 'many-cells', 'hostile'];
const PAGES = [...CHARTED, 'too-short', 'empty', 'tables'];

// The colour of a canvas's corner, and how many of its pixels have another one.
async function looks(page, id) {
  return page.evaluate((figure) => {
    const canvas = document.querySelector(`#${figure} canvas`);
    const { width, height } = canvas;
    // Of a copy: reading the canvas itself would slow it down, and the browser would say so.
    const copy = new OffscreenCanvas(width, height).getContext('2d', { willReadFrequently: true });
    copy.drawImage(canvas, 0, 0);
    const { data } = copy.getImageData(0, 0, width, height);
    const corner = [...data.slice(0, 4)];
    let drawn = 0;
    for (let at = 0; at < data.length; at += 4) {
      if (corner.some((value, channel) => data[at + channel] !== value)) drawn += 1;
    }
    return { corner: corner.join(), drawn: drawn / (data.length / 4) };
  }, id);
}

// Of which series of the chart shown there is nothing to see: no pixel between the axes that has
// about their colour.
async function unseen(page, id) {
  return page.evaluate((figure) => {
    const canvas = document.querySelector(`#${figure} canvas`);
    const { chartArea: { left, top, width, height }, data: { datasets } } = Chart.getChart(canvas);
    const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext('2d', {
      willReadFrequently: true,
    });
    copy.drawImage(canvas, 0, 0);
    const { data } = copy.getImageData(left, top, width, height);
    const shown = datasets.filter(({ behind }) => !behind);
    const colors = new Map(shown.map(({ borderColor }) => [borderColor, 0]));
    for (const color of colors.keys()) {
      const wanted = [1, 3, 5].map((from) => parseInt(color.slice(from, from + 2), 16));
      for (let at = 0; at < data.length; at += 4) {
        if (wanted.every((value, channel) => Math.abs(data[at + channel] - value) < 12)) {
          colors.set(color, colors.get(color) + 1);
        }
      }
    }
    return shown.filter(({ borderColor, data: { length } }) => (
      length > 0 && colors.get(borderColor) < 5)).map(({ label }) => label);
  }, id);
}

// The page hears of another scheme or medium a little later than we order it.
async function becomes(page, id, corner) {
  while ((await looks(page, id)).corner !== corner) {
    await page.evaluate(() => new Promise(requestAnimationFrame));
  }
}

const LIGHT = '255,255,255,255';
const DARK = '20,23,27,255';

const figureIds = (page) => page.$$eval('figure', (figures) => figures.map(({ id }) => id));

// "96,411 (90,000 to 98,000)" -> 96411; "8.82 us" -> 8820; "+6.2%" -> 0.062; "1.08 ×" -> 1.08.
function parse(text) {
  const [, number, unit] = /^([+\u2212-]?[\d.,]+)\s*(ns|us|ms|s|%|)/.exec(text);
  const factor = { ns: 1, us: 1e3, ms: 1e6, s: 1e9, '%': 0.01, '': 1 }[unit];
  return Number(number.replace(/,/g, '').replace('\u2212', '-')) * factor;
}

// Equal but for the rounding to what is shown.
function assertNear(actual, expected, message) {
  const error = Math.abs(actual - expected) / Math.max(Math.abs(expected), 1e-12);
  assert.ok(error < 0.006, `${message}: ${actual} is not ${expected}`);
}

// A page that never does what is waited for ends here.
const within = { timeout: 60_000 };

function declare(browser) {
  const opened = (name, options, use) => () => browser().with(name, options, use);

  for (const name of PAGES) {
    for (const scheme of ['light', 'dark']) {
      test(`${name} opens without an error or a request, ${scheme}`, within,
        opened(name, { scheme }, async (page) => {
          assert.match(await page.title(), / - ringecho$/);
        }));
    }
  }

  for (const name of CHARTED) {
    test(`every chart of ${name} is drawn`, within, opened(name, {}, async (page) => {
      const ids = await figureIds(page);
      assert.ok(ids.length >= 5, ids.join());
      for (const id of ids) {
        const options = await page.$$eval(`#${id} option`, (all) => all.length);
        for (let index = 0; index < Math.max(options, 1); index += 1) {
          if (options) await page.selectOption(`#${id} select`, { index });
          const { drawn } = await looks(page, id);
          assert.ok(drawn > 0.01 && drawn < 0.9, `${id} ${index}: ${drawn}`);
          assert.deepStrictEqual(await unseen(page, id), [], `${id} ${index}`);
        }
      }
    }));
  }

  test('the verdict table agrees with itself', within, opened('engines', {}, async (page) => {
    const rows = await page.$$eval('.findings tbody', (bodies) => bodies.flatMap((body) => {
      const [heading, ...others] = body.rows;
      const better = heading.textContent.includes('higher') ? 1 : -1;
      return others.filter((row) => row.className !== 'overall').map((row) => ({
        better,
        fields: [...row.cells].map((cell) => cell.textContent),
      }));
    }));
    assert.strictEqual(rows.length, 16);
    for (const { better, fields: [cell, base, median, change, , verdict = ''] } of rows) {
      const ratio = parse(median) / parse(base);
      const label = `${cell}: ${verdict}`;
      assert.ok(Math.abs(ratio - 1 - parse(change)) < 0.006, label);
      if (verdict.includes('faster')) assert.ok((ratio - 1) * better > 0, label);
      if (verdict.includes('slower')) assert.ok((ratio - 1) * better < 0, label);
    }
    const words = rows.map(({ fields }) => fields[5]).join('\n');
    for (const word of ['faster', 'slower', '~']) {
      assert.ok(words.includes(word), word);
    }
  }));

  for (const name of ['engines', 'open-loop', 'many', 'many-cells']) {
    const title = `the tables of ${name} have the numbers of its charts`;
    test(title, within, opened(name, {}, async (page) => {
      const found = await page.evaluate(() => {
        const { figures } = JSON.parse(document.getElementById('data').textContent);
        return figures.map((figure) => ({
          figure,
          tables: [...document.querySelectorAll(`#${figure.id} table`)].map(
            (table) => [...table.tBodies[0].rows].map(
              (row) => [...row.cells].slice(1).map((cell) => cell.textContent))),
        }));
      });
      for (const { figure, tables } of found) {
        assert.strictEqual(tables.length, figure.charts.length, figure.id);
        figure.charts.forEach((chart, which) => chart.series.forEach((series, column) => {
          const texts = tables[which].map((row) => row[column]).filter((text) => text !== '-')
            .flatMap((text) => text.replace(/\([^)]*\)/g, '').split(', '));
          const label = `${figure.id} ${chart.label} ${series.name}`;
          assert.strictEqual(texts.length, series.points.length, label);
          series.points.forEach((point, index) => {
            if (point[5]) assert.ok(texts[index].startsWith(point[5].split(' (')[0]), label);
            else assertNear(parse(texts[index]), point[1], label);
          });
        }));
      }
    }));
  }

  // How the series of a chart and its legend are drawn, as far as people can tell them apart.
  const drawn = (page, id) => page.evaluate((figure) => {
    const chart = Chart.getChart(document.querySelector(`#${figure} canvas`));
    return {
      series: chart.data.datasets.filter(({ behind }) => !behind).map(
        ({ label, borderColor, borderDash, pointStyle, pointRotation }) => (
          { label, look: [borderColor, borderDash, pointStyle, pointRotation].join(' ') })),
      behind: chart.data.datasets.filter(({ behind }) => behind).length,
      legend: chart.options.plugins.legend.display
        ? chart.legend.legendItems.map(({ text }) => text) : [],
      // A label of the axis that names sides, where there is one.
      rows: chart.options.sideways ? chart.scales.y.ticks.map(({ label }) => label) : [],
      height: chart.scales.y.height,
    };
  }, id);

  test('many sides are named beside their bars and dots', within, opened('many', {},
    async (page) => {
      for (const id of ['throughput', 'cpu', 'repeats', 'floor', 'epoll']) {
        const { rows, legend, height } = await drawn(page, id);
        assert.strictEqual(rows.length, id === 'epoll' ? 15 : 16, id);
        assert.strictEqual(rows.at(-1), 'set 15', id);
        assert.deepStrictEqual(legend, [], id);
        assert.ok(height / rows.length >= 18, `${id}: ${height}`);
      }
    }));

  test('names on the axis fit on a telephone, too', within, opened('many', { width: 400 },
    async (page) => {
      const widths = await page.evaluate(() => [...document.querySelectorAll('figure')].map(
        (figure) => Chart.getChart(figure.querySelector('canvas'))).filter(
        ({ options }) => options.sideways).map(({ ctx, scales: { y } }) => {
        ctx.font = `12px ${Chart.defaults.font.family}`;
        return y.width - Math.max(...y.ticks.map(({ label }) => ctx.measureText(label).width));
      }));
      assert.strictEqual(widths.length, 5);
      for (const left of widths) assert.ok(left >= 0, widths.join());
    }));

  test('no two of many lines look the same', within, opened('many-cells', {}, async (page) => {
    for (const id of ['throughput', 'percentiles', 'rate-over-time']) {
      const { series, behind, legend } = await drawn(page, id);
      const sides = new Map(series.map(({ label, look }) => [look, label]));
      assert.strictEqual(sides.size, 7, id);
      assert.ok(behind >= 9, `${id}: ${behind}`);
      assert.strictEqual(legend.length, 8, legend.join());
      assert.strictEqual(legend[0], 'epoll');
      assert.strictEqual(legend.at(-1), '9 more, named when pointed at');
    }
  }));

  test('there are as many colours as the page was told', within, opened('many', {},
    async (page) => {
      const counts = await page.evaluate(() => [
        Math.max(...JSON.parse(document.getElementById('data').textContent).colors) + 1,
        ...Object.values(THEMES).map(({ sides }) => sides.length), MARKERS.length, DASHES.length]);
      assert.deepStrictEqual(counts, [7, 7, 7, 7, 7]);
    }));

  test('charts follow the colour scheme', within, opened('engines', {}, async (page) => {
    assert.strictEqual((await looks(page, 'throughput')).corner, LIGHT);
    await page.emulateMedia({ colorScheme: 'dark' });
    await becomes(page, 'throughput', DARK);
    const background = await page.$eval('body', (body) => getComputedStyle(body).backgroundColor);
    assert.strictEqual(background, 'rgb(20, 23, 27)');
  }));

  test('text stands out from the page', within, async () => {
    for (const scheme of ['light', 'dark']) {
      await browser().with('engines', { scheme }, async (page) => {
        const ratios = await page.evaluate(() => {
          const channels = (color) => color.match(/[\d.]+/g).slice(0, 3).map((text) => {
            const value = Number(text) / 255;
            return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
          });
          const luminance = (color) => {
            const [red, green, blue] = channels(color);
            return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
          };
          const page_ = luminance(getComputedStyle(document.body).backgroundColor);
          const wanted = 'p, th, td, small, a, summary, figcaption p, .verdict, button, select';
          return [...document.querySelectorAll(wanted)].map((element) => {
            const [low, high] = [page_, luminance(getComputedStyle(element).color)].sort(
              (a, b) => a - b);
            return { ratio: (high + 0.05) / (low + 0.05), text: element.textContent.slice(0, 40) };
          });
        });
        for (const { ratio, text } of ratios) {
          assert.ok(ratio >= 4.5, `${scheme}: ${ratio} ${text}`);
        }
      });
    }
  });

  test('paper is light, has no controls and cuts no table', within,
    opened('engines', { scheme: 'dark', width: 700 }, async (page) => {
      await page.emulateMedia({ media: 'print', colorScheme: 'dark' });
      await becomes(page, 'throughput', LIGHT);
      const seen = await page.evaluate(() => ({
        background: getComputedStyle(document.body).backgroundColor,
        controls: [...document.querySelectorAll('nav, button, select')].filter(
          (element) => element.checkVisibility()).length,
        cut: [...document.querySelectorAll('.scroll')].filter(
          (element) => getComputedStyle(element).overflowX !== 'visible').length,
        wide: document.documentElement.scrollWidth,
      }));
      assert.deepStrictEqual(seen,
        { background: 'rgb(255, 255, 255)', controls: 0, cut: 0, wide: 700 });
      await page.emulateMedia({ media: 'screen', colorScheme: 'dark' });
      await becomes(page, 'throughput', DARK);
      const pdf = await page.pdf({ format: 'A4', preferCSSPageSize: true });
      assert.strictEqual(pdf.subarray(0, 5).toString(), '%PDF-');
    }));

  for (const width of [400, 1600]) {
    test(`nothing sticks out at ${width} pixels`, within, async () => {
      for (const name of PAGES) {
        await browser().with(name, { width }, async (page) => {
          const reach = () => page.evaluate(() => document.documentElement.scrollWidth);
          assert.ok(await reach() <= width, `${name}: ${await reach()}`);
          await page.$$eval('details', (all) => all.forEach((details) => { details.open = true; }));
          assert.ok(await reach() <= width, `${name} with its tables open: ${await reach()}`);
        });
      }
    });
  }

  test('a chart is saved as a picture that is not transparent', within,
    opened('engines', { scheme: 'dark' }, async (page) => {
      await page.selectOption('#percentiles select', { index: 2 });
      const [download] = await Promise.all([
        page.waitForEvent('download'), page.click('#percentiles button')]);
      assert.strictEqual(download.suggestedFilename(), 'percentiles-1-000-connections.png');
      const png = fs.readFileSync(await download.path());
      assert.strictEqual(png.toString('latin1', 0, 8), '\x89PNG\r\n\x1a\n');
      const canvas = await page.$eval('#percentiles canvas', ({ clientWidth }) => clientWidth);
      assert.strictEqual(png.readUInt32BE(16), 2 * canvas);
      const blank = await page.context().newPage();
      const [red, , , alpha] = await blank.evaluate(async (base64) => {
        const image = new Image();
        image.src = `data:image/png;base64,${base64}`;
        await image.decode();
        const context = new OffscreenCanvas(1, 1).getContext('2d');
        context.drawImage(image, 0, 0);
        return [...context.getImageData(0, 0, 1, 1).data];
      }, png.toString('base64'));
      assert.deepStrictEqual([red, alpha], [20, 255]);
      // And the page is as it was: without the title, at the screen's resolution.
      const after = await page.$eval('#percentiles canvas',
        (element) => [element.width, Chart.getChart(element).options.plugins.title.display]);
      assert.deepStrictEqual(after, [canvas, false]);
    }));

  for (const name of ['engines', 'open-loop', 'many']) {
    test(`every figure of ${name} is saved as PNG`, within, opened(name, {}, async (page) => {
      for (const id of await figureIds(page)) {
        const [download] = await Promise.all([
          page.waitForEvent('download'), page.click(`#${id} button`)]);
        assert.match(download.suggestedFilename(), new RegExp(`^${id}[a-z0-9.-]*\\.png$`));
        const png = fs.readFileSync(await download.path());
        assert.strictEqual(png.toString('latin1', 0, 8), '\x89PNG\r\n\x1a\n', id);
        const [width, height] = await page.$eval(`#${id} canvas`,
          ({ clientWidth, clientHeight }) => [clientWidth, clientHeight]);
        assert.deepStrictEqual([png.readUInt32BE(16), png.readUInt32BE(20)],
          [2 * width, 2 * height], id);
        // One colour alone would be a few hundred bytes.
        assert.ok(png.length > 5000, `${id}: ${png.length}`);
      }
    }));
  }

  test('everything can be done by keyboard', within, opened('engines', {}, async (page) => {
    const before = await looks(page, 'percentiles');
    await page.focus('#percentiles select');
    await page.keyboard.press('ArrowDown');
    assert.notStrictEqual((await looks(page, 'percentiles')).drawn, before.drawn);
    assert.match(await page.getAttribute('#percentiles canvas', 'aria-label'), /64 connections/);
    await page.keyboard.press('Tab');
    const [download] = await Promise.all([
      page.waitForEvent('download'), page.keyboard.press('Enter')]);
    assert.match(download.suggestedFilename(), /64-connections/);
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    const shown = await page.$$eval('#percentiles details[open]', (all) => all.map(
      (details) => details.querySelector('summary').textContent));
    assert.deepStrictEqual(shown, ['Table: 64 connections']);
    // The table moves along with the selection, and can be scrolled.
    await page.keyboard.press('Tab');
    assert.ok(await page.evaluate(() => document.activeElement.className === 'scroll'));
    await page.selectOption('#percentiles select', { index: 3 });
    const [visible] = await page.$$eval('#percentiles table', (all) => all.filter(
      (table) => table.checkVisibility()).map((table) => table.closest('details').innerText));
    assert.match(visible, /10,000 connections/);
  }));

  test('what is drawn has a name, and tables say what they are', within,
    opened('engines', {}, async (page) => {
      const wanting = await page.evaluate(() => ({
        language: document.documentElement.lang,
        headings: document.querySelectorAll('h1').length,
        skipped: [...document.querySelectorAll('h1, h2, h3')].filter((heading, index, all) => (
          index > 0 && Number(heading.tagName[1]) - Number(all[index - 1].tagName[1]) > 1)).length,
        canvases: document.querySelectorAll('canvas:not([role=img][aria-label])').length,
        selects: [...document.querySelectorAll('select')].filter(
          ({ labels }) => labels.length === 0).length,
        tables: document.querySelectorAll('table:not(:has(caption))').length,
        scopes: document.querySelectorAll('th:not([scope])').length,
        regions: document.querySelectorAll('.scroll:not([role][aria-label][tabindex])').length,
      }));
      assert.deepStrictEqual(wanting, {
        language: 'en', headings: 1, skipped: 0, canvases: 0, selects: 0, tables: 0, scopes: 0,
        regions: 0,
      });
    }));

  test('hostile labels are text', within, opened('hostile', {}, async (page) => {
    const counts = await page.evaluate(() => ['img', 'script', 'b'].map(
      (tag) => document.getElementsByTagName(tag).length));
    assert.deepStrictEqual(counts, [0, 4, 0]);
    assert.match(await page.textContent('h1'), /<img src=x onerror=alert\(1\)>/);
  }));

  const intrusion = async (page, problems) => {
    const failures = [];
    page.on('requestfailed', (request) => failures.push(request.failure().errorText));
    await page.evaluate(() => {
      const script = document.createElement('script');
      script.textContent = 'window.intruded = true';
      document.body.append(script);
      const image = document.createElement('img');
      image.setAttribute('onerror', 'window.intruded = true');
      image.src = 'x';
      document.body.append(image);
    });
    await page.waitForFunction(() => document.querySelector('img').complete);
    assert.strictEqual(await page.evaluate(() => window.intruded), undefined);
    assert.deepStrictEqual(failures, ['csp']);
    // The script, the handler and the image were refused, each with a line on the console.
    const refused = problems.splice(0).filter((one) => one.includes('Content Security Policy'));
    assert.ok(refused.length >= 2, refused.join('\n'));
  };
  test('even markup that came in could do nothing', within, opened('engines', {}, intrusion));

  test('without Chart.js the tables stand open', within, opened('tables', {}, async (page) => {
    const counts = await page.evaluate(() => ({
      canvases: document.querySelectorAll('canvas, script, button, select').length,
      closed: document.querySelectorAll('figure details:not([open])').length,
      figures: document.querySelectorAll('figure').length,
    }));
    assert.deepStrictEqual(counts, { canvases: 0, closed: 0, figures: 8 });
    assert.match(await page.innerText('main'), /built without Chart\.js/);
  }));

  test('without script every table can be opened', within, opened('engines', { script: false },
    async (page) => {
      for (const hidden of ['#percentiles .canvas', '#percentiles .controls']) {
        assert.strictEqual(await page.isVisible(hidden), false, hidden);
      }
      await page.click('#percentiles details:nth-of-type(4) summary');
      assert.ok(await page.isVisible('#percentiles details:nth-of-type(4) table'));
    }));
}

function main() {
  const library = playwright();
  if (!library) {
    const reason = 'playwright-core is not there: scripts/run_tests.sh --browser gets it';
    test('the report in a browser', { skip: reason }, () => {});
    return;
  }
  let browser = null;
  test.before(async () => { browser = await Browser.start(library.chromium); });
  test.after(() => browser.stop());
  declare(() => browser);
}

main();
