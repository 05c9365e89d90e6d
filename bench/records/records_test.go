package records

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ovbench/metrics"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestRecordsFile(t *testing.T) {
	dir := t.TempDir()
	begun, err := Open(dir, "of another run", false)
	if err != nil {
		t.Fatal(err)
	}
	if err := begun.Close(); err != nil {
		t.Fatal(err)
	}
	recs, err := Open(dir, "f", false) // nothing was measured under the other one
	if err != nil {
		t.Fatal(err)
	}
	want := []Record{
		{Dataset: "d", Index: 0, ID: "a", Methods: map[string]Evidence{"clip": {Confusion: metrics.Sparse{{Truth: 0, Pred: 1, Count: 5}, {Truth: 1, Pred: 1, Count: 1 << 40}}}}},
		{Dataset: "d", Index: 1, ID: "b", Stage: "decode", Error: "no"},
	}
	for _, r := range want {
		if err := recs.Add(r); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Open(dir, "f", true); err == nil {
		t.Error("two runs may write one folder at the same time")
	}
	if err := recs.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, FileName)
	_, got, _, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, text, want string }{
		{"empty", "", "the file is empty or cut in its first line"},
		{"other schema", `{"schema":"x"}` + "\n", `schema "x", want "ovbench.records/1"`},
		{"broken line", string(text) + "{\n", "records.jsonl:4: "},
		{"another run", string(text), "holds records of another run"},
	} {
		if err := os.WriteFile(path, []byte(c.text), 0o666); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(dir, "other", true); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %s", c.name, err, c.want)
		}
	}
}

func TestRanges(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		set := rapid.SliceOfDistinct(rapid.IntRange(0, 50), func(i int) int { return i }).Draw(t, "set")
		in := map[int]bool{}
		for _, i := range set {
			in[i] = true
		}
		var want []int
		for i := range 51 {
			if in[i] {
				want = append(want, i)
			}
		}
		got, err := ParseRanges(Ranges(want))
		if err != nil || !cmp.Equal(want, got) {
			t.Fatalf("%v became %q, %v (%v)", want, Ranges(want), got, err)
		}
	})
	for _, s := range []string{"x", "3-1", "-1", "0-99999999999", "1,,2", "0-9999999,0-9999999"} {
		if _, err := ParseRanges(s); err == nil {
			t.Errorf("%q is accepted", s)
		}
	}
}

func FuzzReadRecords(f *testing.F) {
	f.Add([]byte(`{"schema":"ovbench.records/1","fingerprint":"f"}` + "\n" + `{"dataset":"d","methods":{"m":{"confusion":[[0,1,2]]}}}` + "\n"))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(dir, FileName)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		_, _, end, err := Read(path)
		if err == nil && (end < 0 || end > int64(len(data)) || end > 0 && data[end-1] != '\n') {
			t.Fatalf("whole lines end at %d of %d", end, len(data))
		}
	})
}
