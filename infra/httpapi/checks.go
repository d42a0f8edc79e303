package httpapi

import (
	"net/http"

	"handoff/domain/check"
)

func (s *server) beginCheck(x *exchange, r *http.Request) error {
	var p check.Plan
	if err := s.decode(x, r, fields{"phrase": text(&p.Say), "queue": text(&p.Queue), "to_people": truth(&p.ToPeople)}); err != nil {
		return err
	}
	began, err := s.api.BeginCheck(r.Context(), x.by, r.PathValue("connection"), p)
	if err != nil {
		return err
	}
	x.Header().Set("Location", s.url(r, "/v1/connections/"+r.PathValue("connection")+"/checks/"+began.Chat))
	return x.json(http.StatusCreated, began)
}

func (s *server) lookCheck(x *exchange, r *http.Request) error {
	seen, err := s.api.LookCheck(r.Context(), x.by, r.PathValue("connection"), r.PathValue("chat"))
	if err != nil {
		return err
	}
	return x.json(http.StatusOK, seen)
}

func (s *server) endCheck(x *exchange, r *http.Request) error {
	if err := s.api.EndCheck(r.Context(), x.by, r.PathValue("connection"), r.PathValue("chat")); err != nil {
		return err
	}
	x.WriteHeader(http.StatusNoContent)
	return nil
}
