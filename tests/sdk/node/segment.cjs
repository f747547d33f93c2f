// @segment/analytics-node: sends `count` events and ends with 1 where one was given up.
const { Analytics } = require('@segment/analytics-node');
const [host, key, count, people] = process.argv.slice(2);
const client = new Analytics({ writeKey: key, host, maxRetries: 400, flushAt: 50, flushInterval: 50, httpRequestTimeout: 30000 });
let failed = 0;
client.on('error', (error) => { failed += 1; console.error(error); });
(async () => {
  for (let n = 0; n < Number(count); n += 1) {
    client.track({ userId: `segment_node-${n % Number(people)}`, event: 'segment_node', properties: { n } });
    if (n % 200 === 199) await client.flush({ timeout: 600000 });
  }
  await client.closeAndFlush({ timeout: 600000 });
  process.exit(failed ? 1 : 0);
})();
