// A bot written with the vendor's SDK: botbuilder's CloudAdapter with
// authentication on, as a bot in production has it. It greets, escalates what is
// about a refund, echoes the rest, and tells the test what it hears.
import http from 'node:http'
import { authentication } from './authentication.mjs'
import { load, next, tell } from './common.mjs'

const { ActivityTypes, CloudAdapter, EventFactory } = load('botbuilder')

const adapter = new CloudAdapter(authentication(await next()))
adapter.onTurnError = async (_, error) => tell({ failed: String(error.stack) })

const said = []

// turn answers one activity. Of what a bot says on Omnichannel a customer sees
// what is bridged. The documented samples of Omnichannel have numbers for roles,
// which the SDK reads and refuses to write into an answer.
async function turn(context) {
  for (const account of [context.activity.from, context.activity.recipient]) {
    if (typeof account?.role === 'number') delete account.role
  }
  context.onSendActivities(async (_, activities, send) => {
    for (const a of activities) if (a.type === ActivityTypes.Message) a.channelData = { deliveryMode: 'bridged', ...a.channelData }
    return send()
  })
  const { type, name, text, value, from, channelId, callerId } = context.activity
  tell({ heard: { type, name, text, value, from: from?.id, channel: channelId, caller: callerId } })
  if (type === ActivityTypes.Event && name === 'startConversation') {
    return context.sendActivity('Hello from the SDK.')
  }
  if (type !== ActivityTypes.Message) return
  said.push(context.activity)
  if (!text.includes('refund')) return context.sendActivity(`You said: ${text}`)
  await context.sendActivity("I'll find somebody who can do that.")
  const variables = { va_Scope: 'bot', va_LastTopic: 'Refund', va_LastPhrase: text, OrderNumber: 'A-1234', Items: 2 }
  return context.sendActivity(EventFactory.createHandoffInitiation(context, variables, { activities: [...said] }))
}

// CloudAdapter takes responses as web frameworks have them.
function response(res) {
  return {
    socket: res.socket,
    status: (code) => (res.statusCode = code),
    header: (key, v) => res.setHeader(key, v),
    send: (body) => res.write(typeof body === 'string' ? body : JSON.stringify(body)),
    end: () => res.end(),
  }
}

const server = http.createServer(async (req, res) => {
  let body = ''
  for await (const part of req) body += part
  req.body = JSON.parse(body)
  await adapter.process(req, response(res), turn)
  if (res.statusCode !== 200) tell({ refused: { status: res.statusCode, activity: req.body } })
})
server.listen(0, '127.0.0.1', () => tell({ listening: `http://127.0.0.1:${server.address().port}/api/messages` }))
