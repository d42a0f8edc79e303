package simulation

import (
	"encoding/json"
	"net/http"

	"handoff/domain/fault"
	"handoff/infra/microsoft/simulation/pages"
	"handoff/infra/microsoft/simulation/wire"
)

// control returns the script over HTTP, for programs other than this one: POST
// and DELETE /faults, GET /calls, POST /keys/rotate, GET /urls, and for what a
// person does at Microsoft's: POST /assign.
func (c *Cloud) control() http.Handler {
	return wire.Routes{
		"POST /faults": func(w http.ResponseWriter, r *http.Request) error {
			var f Fault
			if err := read(w, r, &f); err != nil {
				return err
			}
			return done(w, c.Inject(f))
		},
		"DELETE /faults": func(w http.ResponseWriter, _ *http.Request) error {
			c.ClearFaults()
			return done(w, nil)
		},
		"POST /keys/rotate": func(w http.ResponseWriter, _ *http.Request) error { return done(w, c.RotateKeys()) },
		"GET /calls": func(w http.ResponseWriter, r *http.Request) error {
			wire.JSON(w, http.StatusOK, append([]Call{}, c.Calls(r.URL.Query().Get("host"))...))
			return nil
		},
		"POST /assign": func(w http.ResponseWriter, r *http.Request) error {
			var a struct {
				Workstream    string `json:"workstream"`
				ApplicationID string `json:"application_id"`
			}
			if err := read(w, r, &a); err != nil {
				return err
			}
			return done(w, c.Assign(a.Workstream, a.ApplicationID))
		},
		"GET /urls": func(w http.ResponseWriter, _ *http.Request) error {
			wire.JSON(w, http.StatusOK, c.urls)
			return nil
		},
	}.Handler(pages.Shape)
}

// maxOrder limits what the control host is told, in bytes.
const maxOrder = 1 << 16

// read reads a body that has no members but those of dst.
func read(w http.ResponseWriter, r *http.Request, dst any) error {
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxOrder))
	d.DisallowUnknownFields()
	if err := d.Decode(dst); err != nil {
		return wire.Refuse(http.StatusBadRequest, "json-invalid", "The body can't be read: "+err.Error())
	}
	return nil
}

func done(w http.ResponseWriter, err error) error {
	if f := fault.Of(err); f != nil {
		return wire.Refuse(http.StatusUnprocessableEntity, f.Code, f.Detail)
	}
	if err == nil {
		w.WriteHeader(http.StatusNoContent)
	}
	return err
}
