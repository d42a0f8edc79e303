package dataverse_test

import (
	"maps"
	"testing"
	"time"

	"handoff/domain/fault"
	"handoff/infra/microsoft/dataverse"
	"handoff/infra/microsoft/entra/controlplane"
	"handoff/infra/microsoft/entra/controlplane/controlplanetest"
)

const (
	store = "https://store.crm4.dynamics.com"
	api   = "/api/data/v9.2"

	appID    = "a0000000-0000-4000-8000-00000000000a"
	userID   = "c0000000-0000-4000-8000-000000000001"
	unitID   = "d0000000-0000-4000-8000-000000000001"
	roleID   = "e0000000-0000-4000-8000-000000000001"
	queueID  = "f0000000-0000-4000-8000-000000000001"
	streamID = "f1000000-0000-4000-8000-000000000001"
	botID    = "b0000000-0000-4000-8000-000000000001"
	rulesID  = "f2000000-0000-4000-8000-000000000001"
)

type step = controlplanetest.Step

// The headers that every request has.
var odata = map[string]string{"Accept": "application/json", "Odata-Version": "4.0", "Odata-Maxversion": "4.0"}

func client(t *testing.T, script ...step) *dataverse.Client {
	t.Helper()
	c, err := dataverse.New(controlplane.Options{Base: store, HTTP: controlplanetest.Client(t, script...), Tokens: controlplanetest.Tokens{}, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func ask(want, answer string) step { return step{Want: want, Answer: answer} }

func with(s step, name, value string) step {
	s.Header = maps.Clone(s.Header)
	if s.Header == nil {
		s.Header = make(map[string]string)
	}
	s.Header[name] = value
	return s
}

func refused(s step, status int, code string) step {
	s.Status, s.Answer = status, `{"error":{"code":"`+code+`","message":"m"}}`
	return s
}

// check reports whether err is as wanted: nil for an empty code.
func check(t *testing.T, err error, code string) {
	t.Helper()
	if code == "" && err != nil || code != "" && (err == nil || fault.CodeOf(err) != code) {
		t.Errorf("err = %v, want %q", err, code)
	}
}
