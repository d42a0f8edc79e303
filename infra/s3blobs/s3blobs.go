// Package s3blobs keeps what is too large for the event log's table in an S3
// bucket.
//
// An object's key is the SHA-256 of its bytes in hexadecimal, so an object never
// changes: storing it again stores the same bytes. S3 is told the sum and
// refuses bytes that have another. The bytes are sealed before they come here.
//
// A function that stores needs s3:PutObject on the bucket's objects. One that
// reads needs s3:GetObject, and s3:ListBucket on the bucket: without that S3
// says of a missing object that access is denied (GetObject in its API
// reference).
package s3blobs

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"handoff/events"
	"handoff/infra/awsfault"
	"handoff/infra/eventlog"
)

// MaxBlob is the most that is read, in bytes: more than anything that is sealed.
const MaxBlob = 65 << 20

// Store keeps blobs in a bucket. It is safe for concurrent use and has nothing
// to close.
type Store struct {
	s3     *s3.Client
	bucket string
}

// New returns the store in a bucket that exists.
func New(c *s3.Client, bucket string) *Store { return &Store{s3: c, bucket: bucket} }

// Put stores b, whose SHA-256 is sum.
func (s *Store) Put(ctx context.Context, sum events.Hash, b []byte) error {
	_, err := s.s3.PutObject(ctx, &s3.PutObjectInput{
		Bucket: &s.bucket, Key: aws.String(sum.String()), Body: bytes.NewReader(b),
		ChecksumSHA256: aws.String(base64.StdEncoding.EncodeToString(sum[:])),
	})
	if err != nil {
		return fmt.Errorf("store blob %s: %w", sum, awsfault.Classify(err))
	}
	return nil
}

// Get returns what is stored under a sum, or an error that wraps
// eventlog.ErrNoBlob. Whether the bytes have that sum is for the caller to see.
func (s *Store) Get(ctx context.Context, sum events.Hash) ([]byte, error) {
	b, err := s.get(ctx, sum.String())
	if _, missing := errors.AsType[*types.NoSuchKey](err); missing {
		err = eventlog.ErrNoBlob
	}
	if err != nil {
		return nil, fmt.Errorf("read blob %s: %w", sum, awsfault.Classify(err))
	}
	return b, nil
}

func (s *Store) get(ctx context.Context, key string) ([]byte, error) {
	out, err := s.s3.GetObject(ctx, &s3.GetObjectInput{Bucket: &s.bucket, Key: &key})
	if err != nil {
		return nil, err
	}
	defer func() { _ = out.Body.Close() }()
	b, err := io.ReadAll(io.LimitReader(out.Body, MaxBlob+1))
	if err == nil && len(b) > MaxBlob {
		err = fmt.Errorf("it has more than %d bytes", MaxBlob)
	}
	return b, err
}
