package controlplane

// Permission is what an administrator grants to the application, and why. The
// packages of the APIs list theirs, so that it can be shown before anything is
// asked of anybody.
type Permission struct {
	API    string // Microsoft Graph, Azure, Dataverse
	Name   string // as the vendor's pages call it
	Reason string // what Handoff does with it, as a sentence
}
