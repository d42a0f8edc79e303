// Package simulation is a fake of the parts of Microsoft's cloud that Handoff
// talks to, for people without an account and for tests: Entra ID (Azure AD)
// and Graph, Azure Bot Service, Dataverse and its discovery service, Direct
// Line with a Power Virtual Agents (Copilot Studio) bot behind it, and
// Omnichannel with the customer's chat widget, the human agents' desk and the
// Bot Connector.
//
// Every host is a server of its own on loopback, as strict as the real one:
// who calls, with which token, header, method and body is held to what is
// documented, and what a caller may not do is refused in the service's own
// shape of errors. A script (Inject, or POST /faults of the control host) makes
// hosts throttle, refuse, cut, lose and delay answers. Other mishaps are states:
// a secret that is wrong or expired, keys that rotate, an application that is
// not seen everywhere yet, a second user with one application id, a bot that is
// not published or answers late, tokens that are wrong in each way that a bot
// must notice (Hub().Forge). Time is the clock that the cloud is given.
//
// It differs on purpose in three things. Hosts speak HTTP on 127.0.0.1, so that
// no certificate is needed; tokens are issued for the official names of
// resources and for the loopback addresses alike. The discovery service names
// loopback addresses in ApiUrl and official ones in Url. And what the real hub
// drops without a word is told as a problem of the conversation.
//
// What is documented and what is an assumption is said in the comments of the
// packages below: tenants, azure, tables, virtualbot, hub and ruleset. The
// vendor's libraries take it for the real one, as far as they go, and it keeps to
// the contracts that are published (tests/vendor, tests/contract, tests/hubtest);
// nothing of it was ever compared with the real services. Left out are: delegated
// tokens of people, certificates, calendars of operating hours (a queue is
// shut by SetShut), skills, capacity profiles, voice, persistent chat,
// attachments of customers, and service protection limits that nobody injects.
package simulation
