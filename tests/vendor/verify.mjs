// The vendor's check of what the Bot Connector sends: for each header and
// activity that the test gives, whether the SDK would let them in.
import { authentication } from './authentication.mjs'
import { next, tell } from './common.mjs'

console.error = () => {} // the SDK says there what it refuses

// The SDK passes on what the library below it says of a token that is not valid.
const refusals = ['JsonWebTokenError', 'NotBeforeError', 'TokenExpiredError']

const check = authentication(await next())
for (let asked = await next(); asked; asked = await next()) {
  try {
    const { claimsIdentity } = await check.authenticateRequest(asked.activity, asked.header)
    tell({ verdict: claimsIdentity.isAuthenticated ? 'in' : 'out' })
  } catch (error) {
    tell({ verdict: error.statusCode === 401 || refusals.includes(error.name) ? 'out' : `${error}` })
  }
}
