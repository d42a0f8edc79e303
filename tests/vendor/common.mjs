// What the programs of this folder share. They are started by the tests, which
// write their settings to the first line of standard input, and tell what
// happens as lines of JSON on standard output.
import { createRequire } from 'node:module'
import net from 'node:net'
import path from 'node:path'
import readline from 'node:readline'

// load loads a module from where .ci/engines installed it.
export const load = createRequire(path.join(process.env.HANDOFF_TEST_NODE, 'package.json'))

// Nothing here leaves the machine: a connection to another address fails, and so
// does the test, for the program says so.
const connect = net.Socket.prototype.connect
net.Socket.prototype.connect = function (...args) {
  const options = Array.isArray(args[0]) ? args[0][0] : args[0]
  const host = options?.host ?? 'localhost'
  if (!options?.path && !['127.0.0.1', 'localhost', '::1'].includes(host)) {
    tell({ left: host })
    throw new Error(`a connection to ${host}`)
  }
  return connect.apply(this, args)
}

// tell writes one line for the test.
export function tell(what) {
  process.stdout.write(JSON.stringify(what) + '\n')
}

const lines = readline.createInterface({ input: process.stdin })[Symbol.asyncIterator]()

// next returns the next line of the test's, and undefined after the last.
export async function next() {
  const { value, done } = await lines.next()
  return done ? undefined : JSON.parse(value)
}
