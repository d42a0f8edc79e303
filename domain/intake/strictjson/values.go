package strictjson

import (
	"strconv"

	"handoff/domain/fault"
)

// The methods below fill a destination and leave it alone at null: makers of
// bots without code can rarely leave a field out, so null means "not said".

// Null reads a null and reports whether there was one.
func (r *Reader) Null() (bool, error) {
	if r.Kind() != Null {
		return false, nil
	}
	return true, r.word()
}

// Text reads a text or null.
func (r *Reader) Text(dst *string) error {
	if null, err := r.Null(); null || err != nil {
		return err
	}
	return r.needText(dst)
}

// Texts reads a list of texts, or null.
func (r *Reader) Texts(dst *[]string) error {
	if null, err := r.Null(); null || err != nil {
		return err
	}
	return r.Array(func(int) error {
		var s string
		if err := r.needText(&s); err != nil {
			return err
		}
		*dst = append(*dst, s)
		return nil
	})
}

// Bool reads true, false or null.
func (r *Reader) Bool(dst *bool) error {
	if null, err := r.Null(); null || err != nil {
		return err
	}
	if err := r.expect(Bool); err != nil {
		return err
	}
	from := r.pos
	if err := r.word(); err != nil {
		return err
	}
	*dst = r.data[from] == 't'
	return nil
}

// Int reads a whole number or null.
func (r *Reader) Int(dst *int64) error {
	if null, err := r.Null(); null || err != nil {
		return err
	}
	if err := r.expect(Number); err != nil {
		return err
	}
	raw, err := r.Raw()
	if err != nil {
		return err
	}
	n, err := strconv.ParseInt(string(raw), 10, 64)
	if err != nil {
		return fault.New(fault.Unprocessable, "field-invalid", "Expected a whole number, without point or exponent.").Because(err)
	}
	*dst = n
	return nil
}

func (r *Reader) needText(dst *string) error {
	if err := r.expect(Text); err != nil {
		return err
	}
	b, err := r.text()
	if err != nil {
		return err
	}
	*dst = string(b)
	return nil
}
