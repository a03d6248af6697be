'use strict';
// Brings the page to life: draws the figures, and again when the colour scheme changes or the page
// is printed; the selection of a chart; saving as PNG. Without it the tables are all there.

(() => {
  const { sides: names, colors, figures } = JSON.parse(
    document.getElementById('data').textContent);
  const sides = names.map((name, index) => ({ name, color: colors[index] }));
  const dark = window.matchMedia('(prefers-color-scheme: dark)');
  const print = window.matchMedia('print');
  let printing = print.matches;

  const theme = () => (dark.matches && !printing ? THEMES.dark : THEMES.light);

  // A figure of the page: its element, and which of its charts is shown.
  class View {
    constructor(figure) {
      this.figure = figure;
      this.element = document.getElementById(figure.id);
      this.canvas = this.element.querySelector('canvas');
      this.tables = this.element.querySelectorAll('details');
      this.select = this.element.querySelector('select');
      this.chart = null;
      if (this.select) this.select.addEventListener('change', () => this.show());
      this.element.querySelector('button').addEventListener('click', () => this.save());
      for (const hidden of this.element.querySelectorAll('[hidden]')) hidden.hidden = false;
      this.show();
    }

    get shown() {
      return this.select ? this.select.selectedIndex : 0;
    }

    show() {
      const open = [...this.tables].some((table) => table.open);
      this.tables.forEach((table, index) => {
        table.hidden = index !== this.shown;
        table.open = open && index === this.shown;
      });
      this.draw();
    }

    draw() {
      const chart = this.figure.charts[this.shown];
      const name = [this.figure.title, chart.label].filter(Boolean).join(', ');
      this.canvas.setAttribute('aria-label', `${name}; the table below has the numbers`);
      if (this.chart) this.chart.destroy();
      this.makeRoom(chart);
      this.chart = new Chart(this.canvas, chartConfig(this.figure, chart, sides, theme()));
    }

    // A row for each category of a sideways chart.
    makeRoom({ sideways, categories }) {
      const holder = this.canvas.parentElement;
      holder.classList.toggle('rows', sideways);
      if (sideways) holder.style.setProperty('--height', `${categories.length * 1.5 + 5}rem`);
    }

    // With its title, and sharp enough for a slide.
    save() {
      const { options } = this.chart;
      options.plugins.title.display = true;
      options.devicePixelRatio = 2;
      this.chart.resize();
      this.chart.update();
      const link = document.createElement('a');
      link.href = this.canvas.toDataURL('image/png');
      const label = this.figure.charts[this.shown].label.toLowerCase();
      link.download = `${this.figure.id} ${label}`.trim().replace(/[^a-z0-9.]+/g, '-') + '.png';
      link.click();
      this.draw();
    }
  }

  Chart.defaults.font.family = getComputedStyle(document.body).fontFamily;
  const views = figures.map((figure) => new View(figure));
  const redraw = () => views.forEach((view) => view.draw());
  const setPrinting = (value) => {
    if (printing === value) return;
    printing = value;
    redraw();
  };
  dark.addEventListener('change', redraw);
  print.addEventListener('change', () => setPrinting(print.matches));
  window.addEventListener('beforeprint', () => setPrinting(true));
  window.addEventListener('afterprint', () => setPrinting(false));
})();
