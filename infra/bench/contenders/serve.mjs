// The main loop of a contender for Node.js. It implements the same protocol as contender.py.
import { createInterface } from 'node:readline';

// `operate` runs one operation on one input and returns whether it was admitted. `prepare` creates the inputs for a number
// of operations before the measured time starts. `calls` returns the number of database calls so far.
export async function serve({ operate, prepare = async (count) => [...Array(count).keys()], calls = null }) {
  say({ ready: true });
  for await (const line of createInterface({ input: process.stdin })) {
    const asked = JSON.parse(line);
    say(await measured({ operate, calls }, await prepare(asked.run), asked.parallel ?? 1));
  }
}

async function measured({ operate, calls }, material, parallel) {
  const latency = [];
  let refused = 0;
  const lane = async (first) => {
    for (let at = first; at < material.length; at += parallel) {
      const began = process.hrtime.bigint();
      if (!(await operate(material[at]))) refused += 1;
      latency.push(Number(process.hrtime.bigint() - began));
    }
  };
  const callsBefore = calls?.() ?? 0;
  const cpuBefore = process.cpuUsage();
  const began = process.hrtime.bigint();
  await Promise.all(Array.from({ length: parallel }, (_, first) => lane(first)));
  const wall = Number(process.hrtime.bigint() - began);
  const cpu = process.cpuUsage(cpuBefore);
  return {
    operations: latency.length,
    wall_ns: wall,
    cpu_ns: (cpu.user + cpu.system) * 1000,
    latency_ns: latency,
    calls: calls ? calls() - callsBefore : null,
    refused,
  };
}

function say(said) {
  process.stdout.write(`${JSON.stringify(said)}\n`);
}
