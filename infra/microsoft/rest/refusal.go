package rest

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"handoff/domain/fault"
)

const maxMessage = 500

// refusal reads an answer that is no success.
func (c *Client) refusal(resp *http.Response, body []byte) error {
	k, code, says := meaning(resp.StatusCode)
	r := &RefusedError{Status: resp.StatusCode, Header: resp.Header}
	var told struct {
		Error struct {
			Code    string `json:"code"`
			Message string `json:"message"`
		} `json:"error"`
	}
	if json.Unmarshal(body, &told) == nil {
		r.Message = told.Error.Message[:min(len(told.Error.Message), maxMessage)]
		if word(told.Error.Code) {
			r.Code = told.Error.Code
		}
	}
	f := c.Fault(k, code, "%s", says).Because(r)
	f.RetryAfter = c.retryAfter(resp.Header.Get("Retry-After"))
	return f
}

// word reports whether a text is what codes and ids are, and no sentence.
func word(s string) bool {
	odd := func(c rune) bool {
		return c != '-' && c != '_' && c != '.' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z')
	}
	return s != "" && len(s) <= 100 && !strings.ContainsFunc(s, odd)
}

// meaning never says Unauthenticated or Forbidden: those would speak of the one
// who called Handoff.
func meaning(status int) (k fault.Kind, code, says string) {
	switch status {
	case http.StatusUnauthorized:
		return fault.Unprocessable, "token-refused", "does not accept our token."
	case http.StatusForbidden:
		return fault.Unprocessable, "forbidden", "does not permit this."
	case http.StatusNotFound, http.StatusGone:
		return fault.NotFound, "not-found", "does not know this."
	case http.StatusConflict:
		return fault.Conflict, "conflict", "has this in another state."
	case http.StatusRequestEntityTooLarge:
		return fault.TooLarge, "too-large", "finds this too large."
	case http.StatusTooManyRequests:
		return fault.RateLimited, "rate-limited", "asks us to slow down."
	}
	if status >= http.StatusInternalServerError {
		return fault.Unavailable, "unavailable", "failed at this."
	}
	return fault.Unprocessable, "refused", "refused this with status " + strconv.Itoa(status) + "."
}

// retryAfter reads seconds or a date (RFC 9110 §10.2.3), 0 for neither.
func (c *Client) retryAfter(value string) time.Duration {
	const most = 365 * 24 * 3600
	if seconds, err := strconv.ParseUint(value, 10, 32); err == nil {
		return time.Duration(min(seconds, most)) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil && c.Now != nil {
		return max(0, at.Sub(c.Now()))
	}
	return 0
}
