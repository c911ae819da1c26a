// The working side of a measurement, for Node.js: what contender.py says, word for word.
import { createInterface } from 'node:readline';

// `operate` does one operation with one piece of material and returns whether it was let through; `prepare` makes the
// material of so many operations, outside of what is measured; `calls` counts the database calls made so far.
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
