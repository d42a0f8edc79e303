package routing

import (
	"errors"
	"regexp"
	"regexp/syntax"

	"go.yaml.in/yaml/v3"
)

// maxPatternSize bounds the steps of a pattern. Its length doesn't: a few
// characters of counted repetition stand for thousands.
const maxPatternSize = 1_000

// pattern reads a regular expression of RE2, which runs in linear time.
func (p *parser) pattern(n *yaml.Node, c *condition) bool {
	text, ok := p.text(n, "the pattern", maxPattern)
	if !ok {
		return false
	}
	err := checkPattern(text)
	if err == nil {
		c.pattern, err = regexp.Compile("(?i:" + text + ")")
	}
	if err != nil {
		p.add(n, "%q is no RE2 pattern: %v", text, err)
		return false
	}
	c.operands = []string{text}
	return true
}

// checkPattern refuses what is no pattern, or one of too many steps. It looks
// before anything is compiled.
func checkPattern(text string) error {
	parsed, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		return err
	}
	if patternSize(parsed) > maxPatternSize {
		return errors.New("it has too many steps")
	}
	return nil
}

func patternSize(p *syntax.Regexp) int {
	size := 1 + len(p.Rune)
	if p.Op == syntax.OpCharClass {
		size = 1 + len(p.Rune)/16 // one step, though a long list to look through
	}
	for _, sub := range p.Sub {
		size += patternSize(sub)
	}
	if p.Op == syntax.OpRepeat {
		size *= max(p.Min, p.Max, 1)
	}
	return min(size, maxPatternSize+1)
}
