package httpapi

import (
	"bytes"
	"errors"
	"mime"
	"net/http"
	"strings"
	"time"

	"handoff/domain/fault"
	"handoff/domain/intake/strictjson"
)

// accepts says which media types an operation reads, and what it would rather
// have. A type's parameters are passed but for charset, which must be UTF-8.
type accepts func(mediaType string) (ok bool, preferred string)

func isJSON(t string) (bool, string) { return t == "application/json", "application/json" }

// isYAML knows the registered name and those that came before it (RFC 9512 §2.1).
func isYAML(t string) (bool, string) {
	switch t {
	case "application/yaml", "application/x-yaml", "text/yaml", "text/x-yaml", "text/plain":
		return true, mediaYAML
	}
	return false, mediaYAML
}

const mediaYAML = "application/yaml"

// trusted is how much memory a request gets on its word that it will need it.
const trusted = 64 << 10

// body reads the raw body of a request, up to the limit and no byte further.
func (s *server) body(x *exchange, r *http.Request, ok accepts) ([]byte, error) {
	if err := checkMedia(r.Header, ok); err != nil {
		return nil, err
	}
	tooLarge := fault.Newf(fault.TooLarge, "body-too-large", "At most %d bytes are read.", s.MaxBody)
	if r.ContentLength > s.MaxBody {
		return nil, tooLarge // before anybody sends it (Expect: 100-continue)
	}
	var body bytes.Buffer
	body.Grow(int(min(max(r.ContentLength, 0), trusted)) + bytes.MinRead)
	_, err := body.ReadFrom(http.MaxBytesReader(x.ResponseWriter, r.Body, s.MaxBody))
	if _, over := errors.AsType[*http.MaxBytesError](err); over {
		return nil, tooLarge
	}
	if err != nil {
		return nil, fault.New(fault.Invalid, "body-incomplete", "The body broke off before its end.").Because(err)
	}
	return body.Bytes(), nil
}

func checkMedia(h http.Header, ok accepts) error {
	if e := h.Get("Content-Encoding"); e != "" && !strings.EqualFold(e, "identity") {
		return fault.New(fault.Unsupported, "content-encoding-unsupported", "Send the body as it is, without a Content-Encoding.")
	}
	t, params, err := mime.ParseMediaType(h.Get("Content-Type"))
	fits, preferred := ok(t)
	if err != nil || !fits {
		return fault.Newf(fault.Unsupported, "media-type-unsupported", "Send the body with Content-Type: %s.", preferred)
	}
	if c, there := params["charset"]; there && !strings.EqualFold(c, "utf-8") && !strings.EqualFold(c, "us-ascii") {
		return fault.New(fault.Unsupported, "charset-unsupported", "Send the body in UTF-8.")
	}
	return nil
}

// fields reads an object of which every field is known: who misspells a field
// is told, rather than wondering why it has no effect.
type fields map[string]func(r *strictjson.Reader) error

func (f fields) read(r *strictjson.Reader) error {
	return r.Object(func(name string) error {
		field, ok := f[name]
		if !ok {
			return fault.Newf(fault.Unprocessable, "field-unknown", "There is no field %q here.", shorten(name))
		}
		return field(r)
	})
}

// decode reads a JSON body into what the fields point to.
func (s *server) decode(x *exchange, r *http.Request, f fields) error {
	body, err := s.body(x, r, isJSON)
	if err != nil {
		return err
	}
	return strictjson.Read(body, f.read)
}

func text[T ~string](dst *T) func(r *strictjson.Reader) error {
	return func(r *strictjson.Reader) error {
		s := string(*dst)
		err := r.Text(&s)
		*dst = T(s)
		return err
	}
}

func texts(dst *[]string) func(r *strictjson.Reader) error {
	return func(r *strictjson.Reader) error { return r.Texts(dst) }
}

func truth(dst *bool) func(r *strictjson.Reader) error {
	return func(r *strictjson.Reader) error { return r.Bool(dst) }
}

func span(dst *time.Duration) func(r *strictjson.Reader) error {
	return func(r *strictjson.Reader) (err error) {
		var written string
		if err := r.Text(&written); err != nil || written == "" {
			return err
		}
		*dst, err = parseDuration(written)
		if err == nil && *dst == 0 { // which would mean what leaving the field out means
			err = fault.New(fault.Unprocessable, "duration-invalid", "The span of time must be longer than nothing; for at once, write 1s.")
		}
		return err
	}
}

// optional reads an object, or nothing at null.
func optional(f fields) func(r *strictjson.Reader) error {
	return func(r *strictjson.Reader) error {
		if null, err := r.Null(); null || err != nil {
			return err
		}
		return f.read(r)
	}
}

func shorten(s string) string {
	const most = 64
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
