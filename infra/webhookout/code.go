package webhookout

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"syscall"

	"handoff/domain/delivery"
	"handoff/domain/fault"
)

// The codes of attempts that got no answer. With an answer it is
// delivery.CodeDelivered for 2xx, delivery.CodeGone for 410, redirect for 3xx,
// and status-NNN for the rest.
const (
	codeTimeout  = "timeout"
	codeRefused  = "connection-refused"
	codeReset    = "connection-reset"
	codeDNS      = "dns"
	codeTLS      = "tls"
	codeAddress  = "address-refused"
	codeURL      = "url-invalid"
	codeRedirect = "redirect"
	codeOther    = "network"
)

// codeOfStatus: everything but 2xx is a failure (Standard Webhooks 1.0.0,
// "Delivery success and failure").
func codeOfStatus(status int) string {
	switch {
	case status >= 200 && status <= 299:
		return delivery.CodeDelivered
	case status == http.StatusGone:
		return delivery.CodeGone
	case status >= 300 && status <= 399:
		return codeRedirect
	}
	return "status-" + strconv.Itoa(status)
}

func codeOf(err error) string {
	_, dns := errors.AsType[*net.DNSError](err)
	timeout, isNet := errors.AsType[net.Error](err)
	switch {
	case fault.Is(err, "endpoint-address-refused"):
		return codeAddress
	case dns:
		return codeDNS
	case isTLS(err):
		return codeTLS
	case errors.Is(err, context.DeadlineExceeded), isNet && timeout.Timeout():
		return codeTimeout
	case errors.Is(err, syscall.ECONNREFUSED):
		return codeRefused
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.EPIPE):
		return codeReset
	}
	return codeOther
}

func isTLS(err error) bool {
	_, record := errors.AsType[tls.RecordHeaderError](err)
	_, alert := errors.AsType[tls.AlertError](err)
	_, verification := errors.AsType[*tls.CertificateVerificationError](err)
	_, authority := errors.AsType[x509.UnknownAuthorityError](err)
	_, host := errors.AsType[x509.HostnameError](err)
	_, invalid := errors.AsType[x509.CertificateInvalidError](err)
	return errors.Is(err, http.ErrSchemeMismatch) || record || alert || verification || authority || host || invalid
}
