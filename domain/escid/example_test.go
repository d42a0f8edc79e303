package escid_test

import (
	"fmt"

	"github.com/google/uuid"

	"handoff/domain/escid"
)

func ExampleParse() {
	id := escid.Of(uuid.MustParse("1f8b0800-0000-8000-8000-00000000002a"), 2)
	stream, number, err := escid.Parse(id)
	fmt.Println(id, stream, number, err)
	// Output: esc_0zhc400000g00800000000001a-2 1f8b0800-0000-8000-8000-00000000002a 2 <nil>
}
