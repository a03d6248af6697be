'use strict';
// The colours of charts.js: any two that may stand in one chart are told apart by people who see no
// red, no green or no blue too, and stand out from the page. Needs no browser.
const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const test = require('node:test');

const file = path.join(__dirname, '../../src/compare/html/charts.js');
const { THEMES, MARKERS, DASHES } = new Function(
  `${fs.readFileSync(file, 'utf8')}; return { THEMES, MARKERS, DASHES };`)();

// Machado, Oliveira and Fernandes 2009, severity 1, for linear RGB.
const VISIONS = {
  trichromacy: [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
  protanopia: [
    [0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
    [-0.003882, -0.048116, 1.051998]],
  deuteranopia: [
    [0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
    [-0.011820, 0.042940, 0.968881]],
  tritanopia: [
    [1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602],
    [0.004733, 0.691367, 0.303900]],
};

// "#rrggbb" as linear RGB.
const linear = (color) => [1, 3, 5].map((from) => {
  const value = parseInt(color.slice(from, from + 2), 16) / 255;
  return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
});
const times = (matrix, vector) => matrix.map(
  (row) => row.reduce((sum, factor, index) => sum + factor * vector[index], 0));

// Linear RGB as CIE L*a*b*, white D65.
function lab(rgb) {
  const xyz = times([
    [0.4124564 / 0.95047, 0.3575761 / 0.95047, 0.1804375 / 0.95047],
    [0.2126729, 0.7151522, 0.0721750],
    [0.0193339 / 1.08883, 0.1191920 / 1.08883, 0.9503041 / 1.08883],
  ], rgb.map((value) => Math.min(Math.max(value, 0), 1)));
  const [x, y, z] = xyz.map((value) => (
    value > 216 / 24389 ? Math.cbrt(value) : (24389 / 27 * value + 16) / 116));
  return [116 * y - 16, 500 * (x - y), 200 * (y - z)];
}

const radians = (degrees) => degrees * Math.PI / 180;

// CIEDE2000, after Sharma, Wu and Dalal 2005.
function deltaE([l1, a1, b1], [l2, a2, b2]) {
  const meanC = (Math.hypot(a1, b1) + Math.hypot(a2, b2)) / 2;
  const g = 1.5 - 0.5 * Math.sqrt(meanC ** 7 / (meanC ** 7 + 25 ** 7));
  const c1 = Math.hypot(a1 * g, b1);
  const c2 = Math.hypot(a2 * g, b2);
  const hue = (a, b) => (Math.atan2(b, a) * 180 / Math.PI + 360) % 360;
  const h1 = hue(a1 * g, b1);
  const h2 = hue(a2 * g, b2);
  const grey = c1 * c2 === 0;
  let dh = grey ? 0 : h2 - h1;
  if (Math.abs(dh) > 180) dh -= 360 * Math.sign(dh);
  const dH = 2 * Math.sqrt(c1 * c2) * Math.sin(radians(dh / 2));
  const l = (l1 + l2) / 2 - 50;
  const c = (c1 + c2) / 2;
  const h = grey ? h1 + h2 : h1 + dh / 2;
  const t = 1 - 0.17 * Math.cos(radians(h - 30)) + 0.24 * Math.cos(radians(2 * h))
    + 0.32 * Math.cos(radians(3 * h + 6)) - 0.2 * Math.cos(radians(4 * h - 63));
  const dL = (l2 - l1) / (1 + 0.015 * l ** 2 / Math.sqrt(20 + l ** 2));
  const dC = (c2 - c1) / (1 + 0.045 * c);
  const dHs = dH / (1 + 0.015 * c * t);
  const turn = ((h % 360) + 360) % 360;
  const rotation = -2 * Math.sqrt(c ** 7 / (c ** 7 + 25 ** 7))
    * Math.sin(radians(60 * Math.exp(-(((turn - 275) / 25) ** 2))));
  return Math.sqrt(dL ** 2 + dC ** 2 + dHs ** 2 + rotation * dC * dHs);
}

test('Delta-E is that of the reference data', () => {
  // Pairs 1, 9, 17 and 25 of Sharma, Wu and Dalal.
  for (const [a, b, expected] of [
    [[50, 2.6772, -79.7751], [50, 0, -82.7485], 2.0425],
    [[50, 2.49, -0.001], [50, -2.49, 0.0009], 7.1792],
    [[50, 2.5, 0], [73, 25, -18], 27.1492],
    [[60.2574, -34.0099, 36.2677], [60.4626, -34.1751, 39.4387], 1.2644],
  ]) assert.ok(Math.abs(deltaE(a, b) - expected) < 1e-4, `${deltaE(a, b)} is not ${expected}`);
});

for (const [name, theme] of Object.entries(THEMES)) {
  for (const [vision, matrix] of Object.entries(VISIONS)) {
    test(`any two colours differ, ${name}, ${vision}`, () => {
      const labs = theme.sides.map((color) => lab(times(matrix, linear(color))));
      labs.forEach((one, index) => labs.slice(0, index).forEach((other, before) => {
        const distance = deltaE(one, other);
        const pair = `${theme.sides[before]} and ${theme.sides[index]}`;
        assert.ok(distance >= 10, `${pair}: Delta-E ${distance.toFixed(1)}`);
      }));
    });
  }

  test(`colours stand out from the page, ${name}`, () => {
    const luminance = (color) => times([[0.2126, 0.7152, 0.0722]], linear(color))[0];
    for (const color of theme.sides) {
      const [low, high] = [luminance(color), luminance(theme.page)].sort((a, b) => a - b);
      assert.ok((high + 0.05) / (low + 0.05) >= 3, color);
    }
  });

  test(`each colour has a marker and a dash of its own, ${name}`, () => {
    for (const kind of [MARKERS, DASHES]) {
      const used = kind.slice(0, theme.sides.length).map((one) => one.join());
      assert.strictEqual(new Set(used).size, theme.sides.length);
    }
  });
}
