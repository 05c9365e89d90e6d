package main

import (
	"bytes"
	"testing"
)

// TestFolded: words of a long last column stand below each other, in lines no wider than COLUMNS.
func TestFolded(t *testing.T) {
	t.Setenv("COLUMNS", "40")
	var b bytes.Buffer
	lines := []string{"methods:", "  clip", "  a\t{one: 1, two: 2, three: 3, four: 4}", "  longer\t{é: 1}",
		"a sentence that is quite a bit longer than forty columns are"}
	if err := printFolded(&b, lines); err != nil {
		t.Fatal(err)
	}
	want := `methods:
  clip
  a       {one: 1, two: 2, three: 3,
          four: 4}
  longer  {é: 1}
a sentence that is quite a bit longer
  than forty columns are
`
	if got := b.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
