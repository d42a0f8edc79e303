package hubtest_test

import (
	"testing"

	"handoff/tests/hubtest"
)

func TestSimulation(t *testing.T) {
	t.Parallel()
	hubtest.Run(t, hubtest.Start)
}
