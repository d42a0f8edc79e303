package feedindex

import (
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	"handoff/events"
)

// drawEntries draws entries in order of position.
func drawEntries(t *rapid.T, written time.Time) (all []Entry) {
	name := rapid.SampledFrom([]string{"", "default", "bot#1", "é\x00"})
	end := int64(1)
	for range rapid.IntRange(0, 20).Draw(t, "entries") {
		e := Entry{
			Position: end + rapid.Int64Range(0, 1<<40).Draw(t, "skip"), Version: rapid.IntRange(1, 1<<30).Draw(t, "version"),
			Facts: rapid.IntRange(1, 600).Draw(t, "facts"), Kind: events.Kind(name.Draw(t, "kind")), Tenant: name.Draw(t, "tenant"), Connection: name.Draw(t, "connection"),
			Time: written.Add(time.Duration(rapid.IntRange(-1<<40, 1<<40).Draw(t, "time")) * time.Millisecond),
			Marks: Marks{
				Raised: rapid.Bool().Draw(t, "raised"), Ended: rapid.Bool().Draw(t, "ended"), Parked: rapid.Bool().Draw(t, "parked"),
				Requested: rapid.Bool().Draw(t, "requested"), Imported: rapid.Bool().Draw(t, "imported"), Moved: name.Draw(t, "moved"),
			},
		}
		copy(e.Stream[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "stream"))
		if rapid.Bool().Draw(t, "due") {
			e.Deadline = written.Add(time.Duration(rapid.IntRange(-1<<40, 1<<40).Draw(t, "deadline")) * time.Millisecond)
		}
		if e.Raised || e.Ended || !e.Deadline.IsZero() || e.Moved != "" {
			e.Number = rapid.IntRange(0, 1<<30).Draw(t, "number")
		}
		all, end = append(all, e), e.end()
	}
	return all
}

func TestEntriesComeBackAsTheyWerePacked(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		written := time.UnixMilli(rapid.Int64Range(0, 1<<42).Draw(t, "written")).UTC()
		want := drawEntries(t, written)
		got, err := unpack(pack(written, want))
		if err != nil || !got.Written.Equal(written) || len(got.Entries) != len(want) {
			t.Fatalf("unpack = %d entries of %v, %v, want %d of %v", len(got.Entries), got.Written, err, len(want), written)
		}
		for i := range want {
			if !reflect.DeepEqual(got.Entries[i], want[i]) {
				t.Errorf("entry %d = %+v, want %+v", i, got.Entries[i], want[i])
			}
		}
	})
}

func TestWhatWasNotPackedIsRefused(t *testing.T) {
	t.Parallel()
	whole := pack(time.UnixMilli(1), []Entry{{Position: 1, Version: 1, Facts: 1, Tenant: "default", Marks: Marks{Moved: "bot-2"}}})
	for n := range whole {
		if s, err := unpack(whole[:n]); err == nil && len(s.Entries) > 0 {
			t.Errorf("the first %d of %d bytes are %+v", n, len(whole), s)
		}
	}
	if _, err := unpack(append([]byte{formatV1 + 1}, whole[1:]...)); err == nil {
		t.Error("a way of packing that nobody knows is read")
	}
	if _, err := unpack(append(whole, 1)); err == nil {
		t.Error("a byte too many is read")
	}
}

func FuzzUnpack(f *testing.F) {
	f.Add(pack(time.UnixMilli(1), []Entry{{Position: 1, Version: 1, Facts: 2, Tenant: "default", Connection: "bot-1", Kind: events.KindConversation}}))
	f.Add([]byte{formatV1, 0, 0xff, 0xff, 0xff, 0xff, 0x0f})
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := unpack(data)
		if err != nil || len(s.Entries) == 0 {
			return
		}
		again, err := unpack(pack(s.Written, s.Entries))
		if err != nil || !reflect.DeepEqual(again, s) {
			t.Errorf("%+v became %+v, %v", s, again, err)
		}
	})
}

func TestMemoryForgetsTheOlderHalf(t *testing.T) {
	t.Parallel()
	at := func(minute int) time.Time { return time.Date(2026, 11, 22, 9, minute, 0, 0, time.UTC) }
	m := newMemory(2, 1, at(0))
	for i := range 6 { // of streams 0 to 5, and each time of stream 9
		m.remember(segment{Written: at(i), Entries: []Entry{
			{Position: int64(1 + 2*i), Stream: events.StreamID{byte(i)}, Version: 1, Facts: 1},
			{Position: int64(2 + 2*i), Stream: events.StreamID{9}, Version: 1 + i, Facts: 1},
		}})
	}
	if m.version(events.StreamID{0}) != 0 || m.version(events.StreamID{5}) != 1 || m.version(events.StreamID{9}) != 6 {
		t.Errorf("memory = %+v, want the oldest forgotten", m)
	}
	if m.knows(at(m.old.since.Minute()-1)) || !m.knows(m.old.since) || m.version(events.StreamID{byte(m.old.since.Minute())}) != 1 {
		t.Errorf("memory knows all since %v: %+v", m.old.since, m)
	}
	if want := int64(1 + 2*m.old.since.Minute()); m.old.from != want {
		t.Errorf("memory begins at %d, want %d", m.old.from, want)
	}
	m.note(events.StreamID{9}, 3)
	if m.version(events.StreamID{9}) != 6 {
		t.Error("an older version replaces a newer one")
	}
}
