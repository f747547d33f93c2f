// @rudderstack/rudder-sdk-node: sends `count` events and ends with 1 where one was given up.
const Analytics = require('@rudderstack/rudder-sdk-node');
const [host, key, count, people] = process.argv.slice(2);
const client = new Analytics(key, {
  dataPlaneUrl: host, flushAt: 50, flushInterval: 50, retryCount: 60, logLevel: 'error', maxInternalQueueSize: Number(count) + 9,
});
let open = Number(count);
let failed = 0;
const done = (error) => {
  if (error) { failed += 1; console.error(error); }
  open -= 1;
  if (open === 0) process.exit(failed ? 1 : 0);
};
(async () => {
  for (let n = 0; n < Number(count); n += 1) {
    client.track({ userId: `rudder_node-${n % Number(people)}`, event: 'rudder_node', properties: { n } }, done);
    if (n % 200 === 199) await new Promise((go) => setTimeout(go, 20)); // a queue that is filled at once keeps it busy
  }
  client.flush();
})();
setTimeout(() => { console.error(`${open} were never answered`); process.exit(1); }, 800000);
