// A customer and a human agent in a browser, with a keyboard and no mouse. The
// settings name the browser, the pages of both, what the customer writes, and
// what the human agent answers. On the way each page is looked at as a screen
// reader would.
import { load, next, tell } from './common.mjs'

const { chromium } = load('playwright-core')
const { browser: executablePath, widget, desk, says, answer } = await next()

const browser = await chromium.launch({ executablePath })
const context = await browser.newContext()
context.setDefaultTimeout(30_000)

// open opens a page on which nothing may go wrong and which may ask nobody but
// this machine.
async function open(url) {
  const page = await context.newPage()
  page.on('pageerror', (error) => tell({ failed: `${url}: ${error}` }))
  page.on('console', (message) => message.type() === 'error' && tell({ failed: `${url}: ${message.text()}` }))
  page.on('request', (request) => {
    const { hostname } = new URL(request.url())
    if (!['127.0.0.1', 'localhost'].includes(hostname)) tell({ left: request.url() })
  })
  await page.goto(url)
  return page
}

// reach presses Tab until an element has the focus, and makes sure that one sees
// that it has.
async function reach(page, selector) {
  await page.locator(selector).waitFor()
  for (let presses = 0; presses < 60; presses++) {
    await page.keyboard.press('Tab')
    const found = await page.evaluate((wanted) => {
      const at = document.activeElement
      if (!at.matches(wanted)) return ''
      const style = getComputedStyle(at)
      return style.outlineStyle !== 'none' || style.boxShadow !== 'none' ? 'seen' : 'unseen'
    }, selector)
    if (found === 'unseen') tell({ failed: `${selector} has the focus and nobody sees it` })
    if (found) return
  }
  throw new Error(`${selector} can't be reached with Tab`)
}

async function press(page, selector) {
  await reach(page, selector)
  await page.keyboard.press('Enter')
}

async function write(page, selector, text) {
  await reach(page, selector)
  await page.keyboard.press('Control+A')
  await page.keyboard.type(text)
  await page.keyboard.press('Enter')
}

// message waits for a message in the talk of a page.
async function message(page, from, text) {
  await page.locator(`#talk li[data-from="${from}"] .text`, { hasText: text }).last().waitFor()
}

// audit looks at a page as assistive technology does: by its tree of roles and
// names.
async function audit(page, name) {
  const wrong = (what) => tell({ failed: `${name}: ${what}` })
  const session = await context.newCDPSession(page)
  const { nodes } = await session.send('Accessibility.getFullAXTree')
  await session.detach()
  const named = ['button', 'textbox', 'link', 'log', 'navigation', 'region', 'combobox', 'checkbox', 'image']
  for (const { ignored, role, name: label } of nodes) {
    if (!ignored && named.includes(role?.value) && !label?.value?.trim()) wrong(`a ${role.value} has no name`)
  }
  const found = await page.evaluate(() => {
    const ids = [...document.querySelectorAll('[id]')].map((e) => e.id)
    const live = (e) => e.getAttribute('aria-live') || { log: 'polite', status: 'polite', alert: 'assertive' }[e.getAttribute('role')]
    return {
      lang: document.documentElement.lang,
      title: document.title,
      headings: document.querySelectorAll('h1').length,
      twice: ids.filter((id, i) => ids.indexOf(id) !== i),
      // Only what a person chose to focus may hold it before anything was pressed.
      tabindex: [...document.querySelectorAll('[tabindex]')].filter((e) => e.tabIndex > 0).length,
      live: Object.fromEntries([...document.querySelectorAll('[id]')].map((e) => [e.id, live(e)])),
    }
  })
  if (!found.lang) wrong('its language is not said')
  if (!found.title) wrong('it has no title')
  if (found.headings !== 1) wrong(`it has ${found.headings} headings of the first level`)
  if (found.twice.length) wrong(`ids are there twice: ${found.twice}`)
  if (found.tabindex) wrong('an order of its own for Tab')
  if (found.live.error !== 'assertive') wrong('errors are not announced')
  if ('talk' in found.live && found.live.talk !== 'polite') wrong('new messages are not announced')
}

try {
  const customer = await open(widget)
  await audit(customer, 'the widget before the chat')
  await press(customer, '#open')
  for (const { text, then } of says) {
    if (text) await write(customer, '#text', text)
    if (then) await message(customer, 'bot', then)
  }
  await audit(customer, 'the widget in the chat')

  const agent = await open(desk)
  await press(agent, '#work [data-conversation]')
  await press(agent, '#accept')
  await write(agent, '#reply', answer)
  await message(customer, 'agent', answer)
  await audit(agent, 'the desk')
  tell({ known: await agent.locator('#context').innerText() })

  await write(customer, '#text', 'Thank you.')
  await message(agent, 'customer', 'Thank you.')
  await press(agent, '#end')
  await customer.locator('#again').waitFor()
  tell({ done: true })
} catch (error) {
  tell({ failed: String(error.stack) })
} finally {
  await browser.close()
}
