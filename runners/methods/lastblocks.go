package methods

import (
	"encoding/json"
	"fmt"
	"strconv"

	"ovbench/runners/vit"
)

// LastBlocks is how many of the last blocks a method looks at: a number, half (as many as are behind the middle) or
// all.
type LastBlocks string

// UnmarshalJSON takes numbers as they are.
func (b *LastBlocks) UnmarshalJSON(data []byte) error {
	if _, err := strconv.Atoi(string(data)); err == nil {
		*b = LastBlocks(data)
		return nil
	}
	return json.Unmarshal(data, (*string)(b))
}

// MarshalJSON writes numbers as they are.
func (b LastBlocks) MarshalJSON() ([]byte, error) {
	if _, err := strconv.Atoi(string(b)); err == nil {
		return []byte(b), nil
	}
	return json.Marshal(string(b))
}

// of is the number of blocks of a tower.
func (b LastBlocks) of(method string, t *vit.Tower) (int, error) {
	depth := t.Depth()
	switch b {
	case "all":
		return depth, nil
	case "half":
		return depth - depth/2, nil
	}
	if n, err := strconv.Atoi(string(b)); err == nil && n >= 1 && n <= depth {
		return n, nil
	}
	return 0, fmt.Errorf("%s: blocks %s is out of range: want 1 to %d, half or all", method, b, depth)
}
