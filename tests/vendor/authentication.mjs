// The vendor's own authentication, both ways, of a bot whose cloud is on this
// machine.
import { load } from './common.mjs'

const { ConfidentialClientApplication } = load('@azure/msal-node')
const { ConfigurationBotFrameworkAuthentication } = load('botbuilder')
const { MsalServiceClientCredentialsFactory } = load('botframework-connector')

// redirected sends what the vendor's login library asks of the public cloud to
// another host, as a resolver of names would.
function redirected(login) {
  const ask = async (method, url, options) => {
    const { pathname, search } = new URL(url)
    const answer = await fetch(login + pathname + search, { method, headers: options?.headers, body: options?.body })
    return { status: answer.status, headers: Object.fromEntries(answer.headers), body: await answer.json() }
  }
  return {
    sendGetRequestAsync: (url, options) => ask('GET', url, options),
    sendPostRequestAsync: (url, options) => ask('POST', url, options),
  }
}

// authentication takes {application, secret, tenant, login}.
export function authentication({ application, secret, tenant, login }) {
  const client = new ConfidentialClientApplication({
    auth: { clientId: application, clientSecret: secret, authority: `https://login.microsoftonline.com/${tenant}` },
    system: { networkClient: redirected(login) },
  })
  return new ConfigurationBotFrameworkAuthentication(
    {
      MicrosoftAppId: application,
      MicrosoftAppType: 'SingleTenant',
      MicrosoftAppTenantId: tenant,
      ToChannelFromBotLoginUrl: `https://login.microsoftonline.com/${tenant}`,
      ToChannelFromBotOAuthScope: 'https://api.botframework.com',
      ToBotFromChannelTokenIssuer: 'https://api.botframework.com',
      OAuthUrl: 'https://api.botframework.com',
      ToBotFromChannelOpenIdMetadataUrl: `${login}/v1/.well-known/openidconfiguration`,
      ToBotFromEmulatorOpenIdMetadataUrl: `${login}/v1/.well-known/openidconfiguration`,
      CallerId: 'urn:botframework:azure',
      ValidateAuthority: true,
    },
    new MsalServiceClientCredentialsFactory(application, client),
  )
}
