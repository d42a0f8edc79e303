// Package simulation is a fake of the parts of Microsoft's cloud that Handoff
// talks to, for people without an account and for tests: Entra ID and Graph,
// Azure Bot Service, Dataverse and its discovery service, Direct Line with a
// Power Virtual Agents (Copilot Studio) bot behind it, and Omnichannel with the
// customer's chat widget, the human agents' desk and the Connector.
//
// Every host is a server of its own on loopback, as strict as the real one:
// tokens, headers, methods and bodies are held to what is documented, and a
// script (Inject) makes any host fail in the ways in which the real ones do.
package simulation
