'use strict';
// The browser, and the pages of the fixtures in it. Every page is watched: an error on it, a
// request for anything but itself and a dialog are failures of the test that opened it.
const assert = require('node:assert');
const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { pathToFileURL } = require('node:url');

function playwright() {
  try {
    return require('playwright-core');
  } catch (error) {
    if (error.code !== 'MODULE_NOT_FOUND' || process.env.RINGECHO_REQUIRE_BROWSER) throw error;
    return null;
  }
}

// playwright-core brings no browser, and looks for none on PATH.
function chromiumPath() {
  const folders = process.env.PATH.split(path.delimiter);
  const found = folders.map((folder) => path.join(folder, 'chromium')).find(fs.existsSync);
  assert.ok(found, 'there is no chromium on PATH');
  return found;
}

class Browser {
  static async start(chromium) {
    const self = new Browser();
    self.folder = fs.mkdtempSync(path.join(os.tmpdir(), 'ringecho-report-'));
    execFileSync(process.env.RINGECHO_WRITE_PAGES, [self.folder]);
    const executablePath = chromiumPath();
    // Root cannot have Chromium's sandbox; nothing is opened here but our own pages.
    self.browser = await chromium.launch({ executablePath, chromiumSandbox: false });
    return self;
  }

  async stop() {
    await this.browser.close();
    fs.rmSync(this.folder, { recursive: true });
  }

  // Runs `use(page)` on one of the pages that write_pages writes.
  async with(name, options, use) {
    const context = await this.browser.newContext({
      viewport: { width: options.width || 1280, height: 900 },
      colorScheme: options.scheme || 'light',
      javaScriptEnabled: options.script !== false,
    });
    const page = await context.newPage();
    const url = pathToFileURL(path.join(this.folder, `${name}.html`)).href;
    const problems = [];
    page.on('console', (message) => problems.push(`${message.type()}: ${message.text()}`));
    page.on('pageerror', (error) => problems.push(`exception: ${error.message}`));
    page.on('request', (request) => {
      if (request.url() !== url) problems.push(`request: ${request.url().slice(0, 100)}`);
    });
    page.on('dialog', (dialog) => {
      problems.push(`dialog: ${dialog.message()}`);
      dialog.dismiss();
    });
    try {
      await page.goto(url);
      await use(page, problems);
      assert.deepStrictEqual(problems, []);
    } finally {
      await context.close();
    }
  }
}

module.exports = { Browser, playwright };
