package records

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"ovbench/metrics"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

func TestRecordsFile(t *testing.T) {
	dir := t.TempDir()
	begun, err := Open(dir, Header{Fingerprint: "of another run"}, false)
	if err != nil {
		t.Fatal(err)
	}
	if err := begun.Close(); err != nil {
		t.Fatal(err)
	}
	recs, err := Open(dir, Header{Fingerprint: "f"}, false) // nothing was measured under the other one
	if err != nil {
		t.Fatal(err)
	}
	want := []Record{
		{Dataset: "d", Index: 0, ID: "a",
			Methods: map[string]Evidence{"clip": {Confusion: metrics.Sparse{{Truth: 0, Pred: 1, Count: 5},
				{Truth: 1, Pred: 1, Count: 1 << 40}}}}},
		{Dataset: "d", Index: 1, ID: "b", Stage: "decode", Error: "no"},
	}
	for _, r := range want {
		if err := recs.Add(r); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Open(dir, Header{Fingerprint: "f"}, true); err == nil {
		t.Error("two runs may write one folder at the same time")
	}
	if err := recs.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, FileName)
	if diff := cmp.Diff(want, loaded(t, path), cmpopts.IgnoreUnexported(Record{})); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, text, want string }{
		{"other schema", `{"schema":"x"}` + "\n", `schema "x", want "ovbench.records/1"`},
		{"broken line", string(text) + "{\n", "records.jsonl:4: "},
		{"another run", string(text), "holds records of another run"},
	} {
		if err := os.WriteFile(path, []byte(c.text), 0o666); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(dir, Header{Fingerprint: "other"}, true); err == nil || !strings.Contains(err.Error(), c.want) {
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

// loaded are the records of a file, with their evidence.
func loaded(t *testing.T, path string) (out []Record) {
	t.Helper()
	log, err := OpenLog(path)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	for _, rec := range log.Records {
		rec, err := rec.Loaded()
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, rec)
	}
	return out
}

// Records are read as encoding/json reads them, of all methods or of one, and copied as they stand.
func TestLog(t *testing.T) {
	lines := []string{
		`{"dataset":"d","index":0,"id":"a","methods":{"m":{"confusion":[[1,2,3],[4,0,5]],"boundary":[[7,1,2,3]]},"n":{"confusion":[[1,2,8]]}}}`,
		`{"dataset":"d","index":1,"id":"\"methods\":{","tags":[0,1,2],"methods":{"a \"b\" {":{"cosines":[0.5,-1,2e-3]},"m":{"cosines":[1,2,3]}}}`,
		` { "id" : "c", "methods" : { "m" : { "confusion" : [ [ 1 , 2 , 3 ] ] , "instances" : {} } , "n" : { "confusion" : [[0,0,3]] } } , "index" : 2, "x": {"methods": 1} } `,
		`{"index":3,"id":"d","methods":{}}`,
		`{"index":4,"id":"e","stage":"score","error":"methods"}`,
		`{"index":5,"id":"f","methods":null}`,
		`{"index":6,"id":"g","methods":{"m":null,"n":{},"o":{"confusion":null}}}`,
	}
	dir := t.TempDir()
	path := filepath.Join(dir, FileName)
	text := `{"schema":"ovbench.records/1","fingerprint":"f"}` + "\n" + strings.Join(lines, "\n") + "\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	log, err := OpenLog(path)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	unexported := cmpopts.IgnoreUnexported(Record{})
	for i, line := range lines {
		var want Record
		if err := json.Unmarshal([]byte(line), &want); err != nil {
			t.Fatal(err)
		}
		got, err := log.Records[i].Loaded()
		if diff := cmp.Diff(want, got, unexported, cmpopts.EquateEmpty()); diff != "" || err != nil {
			t.Errorf("%v (-want +got)\n%s", err, diff)
		}
		e, err := log.Records[i].Evidence("m")
		if one, ok := want.Methods["m"]; ok != (err == nil) || !cmp.Equal(one, e) {
			t.Errorf("%s: evidence of m %+v, %v", line, e, err)
		}
		if one, err := log.Records[i].Loaded("m", "absent"); err != nil || len(one.Methods) > 1 {
			t.Errorf("%s: %d methods of one, %v", line, len(one.Methods), err)
		}
	}
	other := t.TempDir()
	f, err := Open(other, log.Header, false)
	if err != nil {
		t.Fatal(err)
	}
	for _, rec := range log.Records {
		if err := f.Add(rec); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if copied, err := os.ReadFile(filepath.Join(other, FileName)); err != nil || string(copied) != text {
		t.Errorf("%v, copied as\n%s\nwant\n%s", err, copied, text)
	}
	for _, bad := range []string{`{"methods":{"m":{"confusion":[[1,2,3]}}}`, `{"methods":{"m":{"confusion":[[1 2,3]]}}}`,
		`{"methods":{"m":{"confusion":[[1,2,3],]}}}`, `{"methods":{"m":{"confusion":[[1,2,NaN]]}}}`, `{"methods":{}}}`,
		`{"methods":{"m":{"confusion":[[1,2,3]]},"n":{"confusion":[[1,2,4]]}}}`, `{"methods":{"m":{"confusion":[[1,2]]}}}`,
		`{"methods":{"m":{"confusion":[[1,2,3]]},"m":{"confusion":[[0,2,3]]}}}`,
		`{"methods":{"m":{"confusion":[[1,2,3.5]]}}}`, `{"methods":{"m":{"confusion":[[01,2,3]]}}}`} {
		if rec, _, err := decode([]byte(bad)); err == nil {
			t.Errorf("%s is read as %+v", bad, rec)
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
		log, err := OpenLog(path)
		if err != nil {
			return
		}
		defer log.Close()
		if end := log.end; end < 0 || end > int64(len(data)) || end > 0 && data[end-1] != '\n' {
			t.Fatalf("whole lines end at %d of %d", end, len(data))
		}
		for _, rec := range log.Records {
			if _, err := rec.Loaded(); err != nil {
				t.Fatalf("what was read is not read again: %v", err)
			}
		}
	})
}

// A file cut in its first line holds nothing: whoever opens it begins anew. A first line that is another file's is
// refused.
func TestTornHeader(t *testing.T) {
	for _, c := range []struct {
		text string
		ok   bool
	}{{"", true}, {`{"sch`, true}, {`{"schema":"ovbench.records/1","finger`, true}, {"id,name", false}, {`{"schema":"ovbench.run/1"`, false}} {
		for _, resume := range []bool{false, true} {
			dir := t.TempDir()
			path := filepath.Join(dir, FileName)
			if err := os.WriteFile(path, []byte(c.text), 0o666); err != nil {
				t.Fatal(err)
			}
			recs, err := Open(dir, Header{Fingerprint: "f"}, resume)
			if (err == nil) != c.ok {
				t.Errorf("%q, resume %v: %v", c.text, resume, err)
			}
			if err != nil {
				if left, _ := os.ReadFile(path); string(left) != c.text {
					t.Errorf("%q became %q", c.text, left)
				}
				continue
			}
			if err := recs.Close(); err != nil {
				t.Fatal(err)
			}
			log, err := OpenLog(path)
			if err != nil || log.Close() != nil || log.Header.Fingerprint != "f" {
				t.Errorf("%q: %+v, %v", c.text, log, err)
			}
		}
	}
}

// Records that cannot be what a run left are refused by line, with the remedy, and Repair leaves them out, and no
// other.
func TestRepair(t *testing.T) {
	good := func(index int, id string) Record {
		c := metrics.Sparse{{Count: 9}}
		return Record{Dataset: "d", Index: index, ID: id, Size: 9, Methods: map[string]Evidence{"m": {Confusion: c},
			"n": {Confusion: c}}}
	}
	for name, bad := range map[string]string{
		"no JSON":         `{"dataset":"d","ind`,
		"no evidence":     `{"dataset":"d","index":1,"id":"b","size":9,"methods":{"m":{},"n":{}}}`,
		"one pixel":       `{"dataset":"d","index":1,"id":"b","size":9,"methods":{"m":{"confusion":[[0,0,1]]},"n":{"confusion":[[0,0,9]]}}}`,
		"unequal methods": `{"dataset":"d","index":1,"id":"b","methods":{"m":{"confusion":[[0,0,1]]},"n":{"confusion":[[0,0,9]]}}}`,
		"other id":        `{"dataset":"d","index":0,"id":"b","size":9,"methods":{"m":{"confusion":[[0,0,9]]}}}`,
		"other index":     `{"dataset":"d","index":7,"id":"a","size":9,"methods":{"m":{"confusion":[[0,0,9]]}}}`,
		"binary":          "\x00\x01\x02",
	} {
		dir := t.TempDir()
		recs, err := Open(dir, Header{Fingerprint: "f", Parts: map[string]string{"x": "y"}}, false)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(recs.Add(good(0, "a")), recs.Add(good(2, "c")), recs.Close()); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, FileName)
		whole, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.SplitAfter(string(whole), "\n")
		broken := lines[0] + lines[1] + bad + "\n" + lines[2]
		if err := os.WriteFile(path, []byte(broken), 0o666); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenLog(path); err == nil || !strings.Contains(err.Error(), "records.jsonl:3: ") ||
			!strings.Contains(err.Error(), "--repair") {
			t.Errorf("%s: error %v", name, err)
		}
		dropped, err := Repair(dir)
		if err != nil || len(dropped) != 1 || !strings.HasPrefix(dropped[0], "line 3: ") {
			t.Errorf("%s: dropped %q, %v", name, dropped, err)
		}
		if mended, _ := os.ReadFile(path); string(mended) != string(whole) {
			t.Errorf("%s: mended to\n%s\nwant\n%s", name, mended, whole)
		}
		if dropped, err := Repair(dir); err != nil || len(dropped) > 0 {
			t.Errorf("%s: a whole file loses %q, %v", name, dropped, err)
		}
	}
}

// What was written of a line is taken back, and nothing follows it: a file without its end is worth more than a torn
// one.
func TestFailedWrite(t *testing.T) {
	dir := t.TempDir()
	recs, err := Open(dir, Header{Fingerprint: "f"}, false)
	if err != nil {
		t.Fatal(err)
	}
	if err := recs.Add(Record{Dataset: "d", ID: "a"}); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, FileName)
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	writable := recs.f
	if recs.f, err = os.Open(path); err != nil { // writing fails
		t.Fatal(err)
	}
	if err := recs.Add(Record{Dataset: "d", Index: 1, ID: "b"}); err == nil || !strings.Contains(err.Error(), "--resume") {
		t.Errorf("error %v", err)
	}
	recs.f.Close()
	recs.f = writable
	if err := recs.Add(Record{Dataset: "d", Index: 2, ID: "c"}); err == nil {
		t.Error("a record follows one that could not be written")
	}
	if err := recs.Close(); err != nil {
		t.Fatal(err)
	}
	if after, _ := os.ReadFile(path); string(after) != string(before) {
		t.Errorf("the file became\n%s", after)
	}
}

// A named pipe is no records file; nobody waits for it.
func TestPipe(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mkfifo(filepath.Join(dir, FileName), 0o666); err != nil {
		t.Skip(err)
	}
	for _, resume := range []bool{false, true} {
		if _, err := Open(dir, Header{Fingerprint: "f"}, resume); err == nil || resume &&
			!strings.Contains(err.Error(), "not a regular file") {
			t.Errorf("resume %v: %v", resume, err)
		}
	}
}
