package dynamolog

import (
	"bytes"
	"compress/flate"
	"fmt"
	"io"
	"sync"

	"handoff/domain/fault"
)

// maxUnpacked is the most that state and facts of one commit may take before
// they are compressed, so that no item can fill the memory of who reads it.
const maxUnpacked = 16 << 20

// writers are compressors that are not in use; one takes a megabyte.
//
//nolint:gochecknoglobals // holds nothing that is anybody's
var writers = sync.Pool{New: func() any {
	w, err := flate.NewWriter(nil, flate.DefaultCompression)
	if err != nil {
		panic(err) // the level is a constant
	}
	return w
}}

// deflate compresses bytes.
func deflate(plain []byte) ([]byte, error) {
	if len(plain) > maxUnpacked {
		return nil, fault.Newf(fault.TooLarge, codeTooLarge, "What is to be recorded at once takes %d bytes; %d are possible.", len(plain), maxUnpacked)
	}
	w, _ := writers.Get().(*flate.Writer)
	defer writers.Put(w)
	var b bytes.Buffer
	w.Reset(&b)
	_, err := w.Write(plain)
	if e := w.Close(); err == nil {
		err = e
	}
	return b.Bytes(), err
}

// inflate undoes deflate.
func inflate(compressed []byte) ([]byte, error) {
	plain, err := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(compressed)), maxUnpacked+1))
	if err == nil && len(plain) > maxUnpacked {
		err = errPacked
	}
	if err != nil {
		return nil, fmt.Errorf("decompress the facts: %w", err)
	}
	return plain, nil
}
