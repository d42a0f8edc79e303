// The vendor's Direct Line client of web chats. It tells the test what it sees,
// and does what the test orders.
import { load, next, tell } from './common.mjs'

globalThis.XMLHttpRequest = load('xhr2')
const { DirectLine } = load('botframework-directlinejs')

const { domain, token, webSocket } = await next()
const line = new DirectLine({ domain, token, webSocket, pollingInterval: 200, random: () => 0 })
const wrong = (error) => tell({ failed: `${error.status ?? ''} ${error.message ?? error}` })

line.connectionStatus$.subscribe((status) => tell({ status }))
line.activity$.subscribe(({ id, type, name, text }) => tell({ activity: { id, type, name, text } }), wrong)

const orders = {
  post: (activity) => line.postActivity(activity).subscribe((id) => tell({ posted: id }), wrong),
  refresh: () =>
    line.refreshToken().subscribe((fresh) => {
      line.token = fresh
      tell({ refreshed: true })
    }, wrong),
}
for (let order = await next(); order; order = await next()) {
  for (const [name, value] of Object.entries(order)) orders[name](value)
}
