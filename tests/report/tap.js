'use strict';
// A reporter of node:test: TAP as plain as meson's parser has it, without Node's YAML blocks. What
// went wrong stands in comments.
const { inspect } = require('node:util');

function comment(error) {
  const cause = error.cause || error;
  return `${inspect(cause)}\n`.replace(/^/gm, '# ').replace(/# $/, '');
}

module.exports = async function* tap(events) {
  let count = 0;
  for await (const { type, data } of events) {
    if (type !== 'test:pass' && type !== 'test:fail') continue;
    count += 1;
    const name = data.name.replace(/#/g, '');
    const skip = data.skip === undefined ? '' : ` # SKIP ${data.skip}`;
    if (type === 'test:fail') yield comment(data.details.error);
    yield `${type === 'test:pass' ? 'ok' : 'not ok'} ${count} ${name}${skip}\n`;
  }
  yield `1..${count}\n`;
};
