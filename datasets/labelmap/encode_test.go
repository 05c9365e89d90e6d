package labelmap

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestEncode(t *testing.T) {
	l := Map{W: 4, H: 2, Pix: []uint16{0, 1, 2, 254, Ignore, 20, 0, 8}}
	var b bytes.Buffer
	if err := Encode(&b, l); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "labels.png")
	if err := os.WriteFile(file, b.Bytes(), 0o666); err != nil {
		t.Fatal(err)
	}
	got, err := Read(file)
	if err != nil {
		t.Fatal(err)
	}
	want := slices.Clone(l.Pix)
	want[4] = 255
	if diff := cmp.Diff(want, got.Pix); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if err := Encode(&b, Map{W: 1, H: 1, Pix: []uint16{255}}); err == nil {
		t.Error("label 255, which means void, was written")
	}
}
