package memlog_test

import (
	"testing"

	"handoff/infra/eventlog"
	"handoff/infra/eventlog/memlog"
	"handoff/tests/eventlogtest"
)

func TestLog(t *testing.T) {
	t.Parallel()
	eventlogtest.Run(t, func(*testing.T) eventlog.Log { return memlog.New() })
}
