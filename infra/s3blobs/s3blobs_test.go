package s3blobs_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"handoff/domain/fault"
	"handoff/events"
	"handoff/infra/eventlog"
	"handoff/infra/s3blobs"
	"handoff/tests/awstest"
	"handoff/tests/eventlogtest"
)

func TestABlobIsKeptUnderItsSum(t *testing.T) {
	t.Parallel()
	awstest.Each(t, func(t *testing.T, e awstest.Engine) {
		store := s3blobs.New(s3.NewFromConfig(e.Config(), func(o *s3.Options) { o.UsePathStyle = true }), e.Bucket(t))
		for _, size := range []int{eventlog.InlineLimit + 1, 6 << 20} {
			b := eventlogtest.Bytes(size, size)
			for range 2 { // storing it again changes nothing
				if err := store.Put(t.Context(), events.SumSealed(b), b); err != nil {
					t.Fatal(err)
				}
				if got, err := store.Get(t.Context(), events.SumSealed(b)); err != nil || !bytes.Equal(got, b) {
					t.Fatalf("Get = %d bytes, %v, want %d", len(got), err, size)
				}
			}
		}
		if _, err := store.Get(t.Context(), events.Hash{1}); !errors.Is(err, eventlog.ErrNoBlob) {
			t.Errorf("Get = %v, want %v", err, eventlog.ErrNoBlob)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := store.Put(ctx, events.Hash{1}, []byte("x")); !errors.Is(err, context.Canceled) {
			t.Errorf("Put = %v, want %v", err, context.Canceled)
		}
	})
}

// s3Answers is the service behind the client.
type s3Answers func(*http.Request) (int, string)

// RoundTrip implements http.RoundTripper.
func (f s3Answers) RoundTrip(req *http.Request) (*http.Response, error) {
	status, body := f(req)
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body))}, nil
}

func store(f s3Answers) *s3blobs.Store {
	return s3blobs.New(s3.NewFromConfig(aws.Config{
		Region: "us-east-1", Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""), HTTPClient: &http.Client{Transport: f},
		Retryer: func() aws.Retryer { return aws.NopRetryer{} },
	}), "blobs")
}

func TestS3IsToldTheSum(t *testing.T) {
	t.Parallel()
	b := []byte("sealed")
	var path, sum, body string
	err := store(func(req *http.Request) (int, string) {
		data, _ := io.ReadAll(req.Body)
		path, sum, body = req.Method+" "+req.URL.Path, req.Header.Get("X-Amz-Checksum-Sha256"), string(data)
		return http.StatusOK, ""
	}).Put(t.Context(), events.SumSealed(b), b)
	const hex, base64 = "c9d0036bed6744bcdf692fc980d8717d7e5f5a4f4e8266b4a84982602fb1cd09", "ydADa+1nRLzfaS/JgNhxfX5fWk9Ogma0qEmCYC+xzQk="
	if err != nil || path != "PUT /"+hex || sum != base64 || body != "sealed" {
		t.Errorf("%s with the sum %s and %q, %v, want PUT /%s with the sum %s", path, sum, body, err, hex, base64)
	}
}

func TestErrorsOfS3AreClassified(t *testing.T) {
	t.Parallel()
	for code, c := range map[string]struct {
		status int
		kind   fault.Kind
		noBlob bool
	}{
		"NoSuchKey":     {http.StatusNotFound, fault.Internal, true},
		"NoSuchBucket":  {http.StatusNotFound, fault.Internal, false},
		"AccessDenied":  {http.StatusForbidden, fault.Internal, false},
		"SlowDown":      {http.StatusServiceUnavailable, fault.Unavailable, false},
		"InternalError": {http.StatusInternalServerError, fault.Unavailable, false},
	} {
		s := store(func(*http.Request) (int, string) {
			return c.status, "<Error><Code>" + code + "</Code><Message>scripted</Message></Error>"
		})
		_, err := s.Get(t.Context(), events.Hash{1})
		if fault.KindOf(err) != c.kind || errors.Is(err, eventlog.ErrNoBlob) != c.noBlob {
			t.Errorf("%s: Get = %v of kind %s, want %s", code, err, fault.KindOf(err), c.kind)
		}
		if err := s.Put(t.Context(), events.Hash{1}, []byte("x")); fault.KindOf(err) != c.kind || err == nil {
			t.Errorf("%s: Put = %v of kind %s, want %s", code, err, fault.KindOf(err), c.kind)
		}
	}
}

func TestABlobThatIsTooLargeIsNotRead(t *testing.T) {
	t.Parallel()
	s := store(func(*http.Request) (int, string) { return http.StatusOK, strings.Repeat("x", s3blobs.MaxBlob+1) })
	if b, err := s.Get(t.Context(), events.Hash{1}); err == nil {
		t.Errorf("Get = %d bytes, want an error", len(b))
	}
}
