package simulation

import (
	"encoding/json"
	"net/http"

	"handoff/domain/fault"
	"handoff/infra/microsoft/simulation/pages"
	"handoff/infra/microsoft/simulation/wire"
)

// control returns the script over HTTP, for programs other than this one: POST
// and DELETE /faults, GET /calls, POST /keys/rotate, and GET /urls.
func (c *Cloud) control() http.Handler {
	done := func(w http.ResponseWriter, err error) error {
		if f := fault.Of(err); f != nil {
			return wire.Refuse(http.StatusUnprocessableEntity, f.Code, f.Detail)
		}
		if err == nil {
			w.WriteHeader(http.StatusNoContent)
		}
		return err
	}
	return wire.Routes{
		"POST /faults": func(w http.ResponseWriter, r *http.Request) error {
			var f Fault
			d := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<16))
			d.DisallowUnknownFields()
			if err := d.Decode(&f); err != nil {
				return wire.Refuse(http.StatusBadRequest, "json-invalid", "The body is no fault: "+err.Error())
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
		"GET /urls": func(w http.ResponseWriter, _ *http.Request) error {
			wire.JSON(w, http.StatusOK, c.urls)
			return nil
		},
	}.Handler(pages.Shape)
}
