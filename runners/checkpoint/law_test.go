package checkpoint

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"ovbench/runners/tensor"
)

// What a safetensors file was written from is what is read, and a file without its last byte is refused.
func TestSafetensorsRoundTrip(t *testing.T) {
	types := []string{"F64", "F32", "F16", "BF16", "I64", "I32", "I16", "I8", "U8", "BOOL"}
	rapid.Check(t, func(t *rapid.T) {
		names := rapid.SliceOfNDistinct(rapid.StringMatching(`[a-z][a-z0-9_.]{0,20}`), 1, 8, rapid.ID[string]).Draw(t, "names")
		want := map[string]tensor.Ref{}
		var entries []string
		at := 0
		for _, name := range names {
			dtype := rapid.SampledFrom(types).Draw(t, "dtype")
			shape := append([]int{}, rapid.SliceOfN(rapid.IntRange(0, 4), 0, 4).Draw(t, "shape")...)
			size := safetensorsTypes[dtype].Size()
			for _, d := range shape {
				size *= d
			}
			entries = append(entries, entry(name, dtype, strings.Trim(strings.ReplaceAll(fmt.Sprint(shape), " ", ","), "[]"), at,
				at+size))
			want[name] = tensor.Ref{Path: "f", Offset: int64(at), Length: int64(size), DType: safetensorsTypes[dtype],
				Shape: shape}
			at += size
		}
		header := "{" + strings.Join(rapid.Permutation(entries).Draw(t, "order"), ",") + "}" + strings.Repeat(" ",
			rapid.IntRange(0, 8).Draw(t, "pad"))
		for name, r := range want {
			r.Offset += int64(8 + len(header))
			want[name] = r
		}
		file := safe(header, at)
		c, err := readContents("f", strings.NewReader(file), int64(len(file)))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, c.tensors); diff != "" {
			t.Fatal(diff)
		}
		if _, err := readContents("f", strings.NewReader(file), int64(len(file)-1)); err == nil {
			t.Fatal("a file cut short was read")
		}
	})
}

// A view is accepted exactly if every one of its elements, enumerated, lies in the storage; span is
// then the distance from its first to its last element.
func TestViewsStayInTheirStorage(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const elements = 6 // of the storage torchOf writes
		rank := rapid.IntRange(0, 3).Draw(t, "rank")
		shape := rapid.SliceOfN(rapid.IntRange(0, 3), rank, rank).Draw(t, "shape")
		strides := rapid.SliceOfN(rapid.IntRange(0, 4), rank, rank).Draw(t, "strides")
		offset := rapid.IntRange(0, elements).Draw(t, "offset")
		last := []int{offset}
		for i, d := range shape {
			var next []int
			for _, at := range last {
				for k := range d {
					next = append(next, at+k*strides[i])
				}
			}
			last = next
		}
		inside, highest := true, offset-1
		for _, at := range last {
			inside = inside && at < elements
			highest = max(highest, at)
		}
		file := torchOf(t, opSet(opText("w"), opTensor("0", elements, offset, shape, strides)))
		c, err := readFuzzed(t, file)
		if (err == nil) != inside {
			t.Fatalf("shape %v strides %v offset %d: error %v, want inside %v", shape, strides, offset, err, inside)
		}
		if r := c.tensors["w"]; err == nil && (r.Length != int64(4*(highest-offset+1)) ||
			file[r.Offset-int64(4*offset)] != 1) {
			t.Fatalf("shape %v strides %v offset %d: %+v", shape, strides, offset, r)
		}
	})
}

// checkContents holds what a reader of Refs relies on.
func checkContents(t fataler, c contents, size int64) {
	t.Helper()
	for name, r := range c.tensors {
		n, ok := tensor.Elements(r.Shape)
		if !ok || checkName(name) != nil || r.Path != "f" || r.DType.Size() == 0 || r.Offset < 0 || r.Length < 0 ||
			r.Offset > size-r.Length {
			t.Fatalf("%q: %+v in a file of %d bytes", name, r, size)
		}
		elements := n
		if r.Strides != nil {
			if elements, ok = span(r.Shape, r.Strides); !ok || len(r.Strides) != len(r.Shape) || n == 0 || n > elements &&
				n > maxExpanded {
				t.Fatalf("%q: %+v", name, r)
			}
		}
		if elements > r.Length || elements*int64(r.DType.Size()) != r.Length {
			t.Fatalf("%q: %d elements in %+v", name, elements, r)
		}
	}
}

func readFuzzed(t fataler, file string) (contents, error) {
	c, err := readContents("f", strings.NewReader(file), int64(len(file)))
	if err == nil {
		checkContents(t, c, int64(len(file)))
	}
	return c, err
}

// FuzzSafetensors compares with encoding/json, which reads every header this package accepts to the same end.
func FuzzSafetensors(f *testing.F) {
	f.Add(string(content(f, "testdata/types.safetensors")))
	f.Add(safe(`{`+entry("a", "F32", "2,1", 0, 8)+`,`+entry("b", "I8", "", 8, 9)+`}`, 9))
	f.Add(safe(`{"__metadata__":{"a":"b"},`+entry("e", "BOOL", "0", 0, 0)+`}  `, 0))
	f.Add(safe(`{}`, 0))
	f.Fuzz(func(t *testing.T, file string) {
		if len(file) < 8 {
			return
		}
		c, err := readSafetensors("f", strings.NewReader(file), int64(len(file)))
		if err != nil {
			return
		}
		checkContents(t, c, int64(len(file)))
		n := 8 + len(file[8:])
		for _, r := range c.tensors {
			n = min(n, int(r.Offset))
		}
		var slow map[string]json.RawMessage
		if err := json.Unmarshal([]byte(file[8:n]), &slow); err != nil {
			t.Fatalf("accepted, but encoding/json says %v", err)
		}
		delete(slow, "__metadata__")
		if len(slow) != len(c.tensors) {
			t.Fatalf("%d tensors, encoding/json finds %d", len(c.tensors), len(slow))
		}
		for name, raw := range slow {
			var s struct {
				DType       string   `json:"dtype"`
				Shape       []int    `json:"shape"`
				DataOffsets [2]int64 `json:"data_offsets"`
			}
			if err := json.Unmarshal(raw, &s); err != nil {
				t.Fatalf("accepted, but encoding/json says %v", err)
			}
			want := tensor.Ref{Path: "f", Offset: s.DataOffsets[0] + int64(n), Length: s.DataOffsets[1] - s.DataOffsets[0],
				DType: safetensorsTypes[s.DType], Shape: append([]int{}, s.Shape...)}
			if diff := cmp.Diff(want, c.tensors[name]); diff != "" {
				t.Fatalf("%q: %s", name, diff)
			}
		}
	})
}

// FuzzPickle runs the stack machine, and what follows it, on pickles in a sound archive.
func FuzzPickle(f *testing.F) {
	for _, root := range []string{
		opSet(opText("w"), vector), opSet(opText("state_dict"), opSet(opText("module.w"), vector)), moduleBomb(3),
		opSet(opText("w"), parameters(1)), "(Nd", "\x8d" + le(8, 1<<62), opDict + "q\x00(" + opText("a") + "h\x00u",
	} {
		f.Add(pickle(root), false)
		f.Add(pickle(root), true)
	}
	for _, name := range []string{"training", "parameters", "views", "protocol4", "script"} {
		text := string(content(f, "testdata/"+name+".pt"))
		a, err := openArchive(strings.NewReader(text), int64(len(text)))
		if err != nil {
			f.Fatal(err)
		}
		p, err := a.pickle()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(p, name == "script")
	}
	f.Fuzz(func(t *testing.T, p string, script bool) {
		members := []member{{name: "m/data.pkl", data: p}, {name: "m/data/0", data: strings.Repeat("\x01", 96)},
			{name: "m/data/1", data: strings.Repeat("\x02", 96)}}
		if script {
			members = append(members, member{name: "m/constants.pkl"})
		}
		readFuzzed(t, archiveOf(t, members...))
	})
}

// FuzzTorch reads whole archives.
func FuzzTorch(f *testing.F) {
	f.Add(string(content(f, "testdata/plain.pt")))
	f.Add(torchOf(f, opSet(opText("w"), vector)))
	f.Add(zip64Claim(1))
	f.Fuzz(func(t *testing.T, file string) { readFuzzed(t, file) })
}

// FuzzIndex checks that shards stay beside their index.
func FuzzIndex(f *testing.F) {
	f.Add(string(content(f, "testdata/sharded/model.safetensors.index.json")))
	f.Add(`{"weight_map":{"a":"../b"}}`)
	f.Add(`{"weight_map":{"a":"..."}}`) // a name like others
	f.Add(`{"metadata":{"a":[{"b":null}]},"weight_map":{"a":"b","c":"b"}}`)
	f.Fuzz(func(t *testing.T, text string) {
		ix, err := parseIndex([]byte(text))
		if err != nil {
			return
		}
		var slow struct {
			WeightMap map[string]string `json:"weight_map"`
		}
		if err := json.Unmarshal([]byte(text), &slow); err != nil {
			t.Fatalf("accepted, but encoding/json says %v", err)
		}
		got := map[string]string{}
		for file, names := range ix.shards {
			if strings.ContainsAny(file, `/\`) || file == "" || file == "." || file == ".." {
				t.Fatalf("shard %q", file)
			}
			for _, name := range names {
				got[name] = file
			}
		}
		if diff := cmp.Diff(slow.WeightMap, got); diff != "" {
			t.Fatal(diff)
		}
	})
}
