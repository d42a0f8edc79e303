package escid_test

import (
	"strings"
	"testing"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"handoff/domain/escid"
	"handoff/domain/fault"
	"handoff/events"
)

func TestOf(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]struct {
		stream string
		number int
		want   string
	}{
		"the lowest stream is zeros":              {"00000000-0000-0000-0000-000000000000", 1, "esc_00000000000000000000000000"},
		"the highest stream begins with a 7":      {"ffffffff-ffff-ffff-ffff-ffffffffffff", 1, "esc_7zzzzzzzzzzzzzzzzzzzzzzzzz"},
		"a later escalation carries its number":   {"00000000-0000-0000-0000-000000000021", 12, "esc_00000000000000000000000011-12"},
		"bits cross from the upper to lower half": {"00000000-0000-0001-8000-000000000000", 1, "esc_0000000000000r000000000000"},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			if got := escid.Of(uuid.MustParse(c.stream), c.number); got != c.want {
				t.Errorf("Of = %s, want %s", got, c.want)
			}
		})
	}
}

func TestParse(t *testing.T) {
	t.Parallel()
	want := uuid.MustParse("00000000-0000-0000-0000-000000000020")
	for sentence, c := range map[string]struct {
		id     string
		number int
	}{
		"as written":                       {"esc_00000000000000000000000010", 1},
		"upper case":                       {"ESC_00000000000000000000000010-3", 3},
		"letters that look like digits":    {"esc_oO0000000000000000000000I0", 1},
		"a small L is a one":               {"esc_000000000000000000000000l0", 1},
		"the highest number":               {"esc_00000000000000000000000010-999999999", 999_999_999},
		"refused: one too many digits":     {"esc_000000000000000000000000100", 0},
		"refused: more than 128 bits":      {"esc_80000000000000000000000010", 0},
		"refused: a letter not in the set": {"esc_u0000000000000000000000010", 0},
		"refused: no prefix":               {"00000000000000000000000010", 0},
		"refused: number 1 spelled out":    {"esc_00000000000000000000000010-1", 0},
		"refused: leading zero":            {"esc_00000000000000000000000010-02", 0},
		"refused: plus sign":               {"esc_00000000000000000000000010-+2", 0},
		"refused: huge number":             {"esc_00000000000000000000000010-1000000000", 0},
		"refused: nothing":                 {"", 0},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			stream, number, err := escid.Parse(c.id)
			if c.number == 0 {
				if !fault.Is(err, "escalation-id-invalid") {
					t.Errorf("Parse = %v, %d, %v, want escalation-id-invalid", stream, number, err)
				}
				return
			}
			if err != nil || stream != want || number != c.number {
				t.Errorf("Parse = %v, %d, %v, want %v, %d", stream, number, err, want, c.number)
			}
		})
	}
}

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var stream events.StreamID
		copy(stream[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "stream"))
		number := rapid.IntRange(1, 999_999_999).Draw(t, "number")
		gotStream, gotNumber, err := escid.Parse(escid.Of(stream, number))
		if err != nil || gotStream != stream || gotNumber != number {
			t.Fatalf("Parse(Of) = %v, %d, %v, want %v, %d", gotStream, gotNumber, err, stream, number)
		}
	})
}

func FuzzParse(f *testing.F) {
	f.Add("esc_00000000000000000000000010")
	f.Add("ESC_7ZZZZZZZZZZZZZZZZZZZZZZZZI-42")
	f.Add("esc_")
	f.Fuzz(func(t *testing.T, id string) {
		stream, number, err := escid.Parse(id)
		if err != nil {
			return
		}
		canonical := strings.NewReplacer("i", "1", "l", "1", "o", "0").Replace(strings.ToLower(id[len(escid.Prefix):]))
		if got := escid.Of(stream, number); got != escid.Prefix+canonical {
			t.Errorf("Of(Parse(%q)) = %s", id, got)
		}
	})
}
