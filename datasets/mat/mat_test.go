package mat

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ovbench/datasets/labelmap"
)

// What scipy.io.loadmat 1.17.1 reads of every file, recorded by testdata/context/make.py.
func TestRead(t *testing.T) {
	data, err := os.ReadFile("../testdata/context/mat.json")
	if err != nil {
		t.Fatal(err)
	}
	var want map[string][][]uint16
	if err := json.Unmarshal(data, &want); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("../testdata/context/mat/*.mat")
	if err != nil || len(files) != len(want) || len(files) < 50 {
		t.Fatalf("%d files, %d expected maps, %v", len(files), len(want), err)
	}
	for _, path := range files {
		got, err := Read(path, "LabelMap")
		if err != nil {
			t.Error(err)
			continue
		}
		if diff := cmp.Diff(mapOf(want[filepath.Base(path)]), got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", path, diff)
		}
	}
}

// mapOf is the label map with the given rows.
func mapOf(rows [][]uint16) labelmap.Map {
	l := labelmap.Map{W: len(rows[0]), H: len(rows)}
	for _, row := range rows {
		l.Pix = append(l.Pix, row...)
	}
	return l
}

// matElement is a data element of little-endian numbers, padded.
func matElement(kind uint32, numbers any) []byte {
	var data bytes.Buffer
	if err := binary.Write(&data, binary.LittleEndian, numbers); err != nil {
		panic(err)
	}
	b := binary.LittleEndian.AppendUint32(nil, kind)
	b = binary.LittleEndian.AppendUint32(b, uint32(data.Len()))
	return append(append(b, data.Bytes()...), make([]byte, -data.Len()&7)...)
}

// matFile is a file of the elements; those of a matrix are given as its parts.
func matFile(parts ...[]byte) []byte {
	head := append([]byte("MATLAB 5.0 MAT-file"), make([]byte, 105)...)
	return append(append(head, "\x00\x01IM"...), matElement(matMatrix, bytes.Join(parts, nil))...)
}

// matWith is a file with LabelMap of a class, flags, dimensions and numbers.
func matWith(flags uint32, dims []int32, kind uint32, numbers any) []byte {
	return matFile(matElement(matUint32, []uint32{flags, 0}), matElement(matInt32, dims),
		matElement(matInt8, []byte("LabelMap")), matElement(kind, numbers))
}

// deflated is file with its element compressed.
func deflated(file []byte) []byte {
	var z bytes.Buffer
	w := zlib.NewWriter(&z)
	if _, err := w.Write(file[matHeaderLen:]); err != nil {
		panic(err)
	}
	w.Close()
	out := binary.LittleEndian.AppendUint32(bytes.Clone(file[:matHeaderLen]), matCompressed)
	return append(binary.LittleEndian.AppendUint32(out, uint32(z.Len())), z.Bytes()...)
}

func TestMatErrors(t *testing.T) {
	const double, uint16s = 6, 11
	two := []int32{1, 2}
	good := matWith(uint16s, two, matUint16, []uint16{3, 459})
	if l, err := decode(good, "LabelMap"); err != nil || !cmp.Equal(l, labelmap.Map{W: 2, H: 1, Pix: []uint16{3, 459}}) {
		t.Fatal(l, err)
	}
	corrupt := deflated(good)
	corrupt[len(corrupt)-1] ^= 1 // of the checksum
	for _, test := range []struct {
		name string
		file []byte
		want string
	}{
		{"empty", nil, "truncated"},
		{"version 7.3 by text", append([]byte("MATLAB 7.3 MAT-file, Platform: GLNXA64"), make([]byte, 600)...), `version 7.3 (HDF5), which is not read here; load it in MATLAB and save it again with save(file, "-v7")`},
		{"version 7.3 by magic", append(make([]byte, 512), "\x89HDF\r\n\x1a\n...."...), "version 7.3 (HDF5)"},
		{"plain HDF5", []byte("\x89HDF\r\n\x1a\n"), "version 7.3 (HDF5)"},
		{"version 4", append([]byte{0, 0, 0, 0, 7}, make([]byte, 200)...),
			"not a MATLAB file of version 5: it begins with 00 00 00 00 07"},
		{"web page", []byte("<!DOCTYPE html>"), "HTML"},
		{"pointer", []byte("version https://git-lfs.github.com/spec/v1"), "git lfs pull"},
		{"header only", good[:128], "the file ends after its header"},
		{"other name", good, `no variable "S"; variables there are: "LabelMap"`},
		{"2^31 x 2^31", matWith(uint16s, []int32{math.MaxInt32, math.MaxInt32}, matUint16, []uint16{1}),
			"2147483647 rows and 2147483647 columns, more than the limit of 67108864 numbers"},
		{"2^31 x 2^31 deflated", deflated(matWith(uint16s, []int32{math.MaxInt32, math.MaxInt32}, matUint16, []uint16{1})),
			"more than the limit"},
		{"negative side", matWith(uint16s, []int32{-1, -2}, matUint16, []uint16{1, 2}), "dimensions [-1 -2]"},
		{"empty matrix", matWith(uint16s, []int32{0, 0}, matUint16, []uint16{}), "dimensions [0 0]"},
		{"three dimensions", matWith(uint16s, []int32{1, 1, 2}, matUint16, []uint16{1, 2}), "dimensions [1 1 2]"},
		{"too few numbers", matWith(uint16s, []int32{2, 2}, matUint16, []uint16{1, 2}),
			"of 2x2 numbers has 4 bytes of type 4"},
		{"unknown type", matWith(uint16s, two, 8, []uint16{1, 2}), "of type 8"},
		{"complex", matWith(double|matComplexFlag, two, matDouble, []float64{1, 2}), "complex"},
		{"cell", matWith(1, two, matUint16, []uint16{1, 2}), "a cell array, want a matrix"},
		{"struct", matWith(2, two, matUint16, []uint16{1, 2}), "a struct"},
		{"text", matWith(4, two, matUint16, []uint16{1, 2}), "text"},
		{"sparse", matWith(5, two, matUint16, []uint16{1, 2}), "a sparse matrix"},
		{"opaque", matWith(17, two, matUint16, []uint16{1, 2}), "an array of class 17"},
		{"bad checksum", corrupt, "damaged: zlib"},
		{"bad zlib", append(bytes.Clone(corrupt[:136]), make([]byte, len(corrupt)-136)...), "damaged: zlib"},
	} {
		_, err := decode(test.file, map[bool]string{true: "S", false: "LabelMap"}[test.name == "other name"])
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v, want %q", test.name, err, test.want)
		}
	}
}

// Numbers that are no labels are found in whichever column they lie.
func TestMatLabelValues(t *testing.T) {
	for _, test := range []struct {
		kind    uint32
		numbers any
		want    string
	}{
		{matInt8, []int8{0, 1, 2, 3, -4, 5}, "-4 at x 2, y 0"},
		{matInt16, []int16{0, 1, 2, 3, 4, -1}, "-1 at x 2, y 1"},
		{matInt32, []int32{65536, 0, 0, 0, 0, 0}, "65536 at x 0, y 0"},
		{matUint32, []uint32{0, math.MaxUint32, 0, 0, 0, 0}, "at x 0, y 1"},
		{matInt64, []int64{0, 0, math.MinInt64, 0, 0, 0}, "at x 1, y 0"},
		{matUint64, []uint64{0, 0, 0, 1 << 63, 0, 0}, "at x 1, y 1"},
		{matSingle, []float32{0, 0, 0, 0.5, 0, 0}, "0.5 at x 1, y 1"},
		{matDouble, []float64{0, 0, 0, 0, math.NaN(), 0}, "NaN at x 2, y 0"},
		{matDouble, []float64{0, 0, 0, 0, 0, math.Inf(1)}, "+Inf at x 2, y 1"},
	} {
		_, err := decode(matWith(6, []int32{2, 3}, test.kind, test.numbers), "LabelMap")
		if !errors.Is(err, labelmap.ErrValue) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%v: got %v, want %q", test.numbers, err, test.want)
		}
	}
}

// A file that ends early is an error wherever it ends.
func TestMatTruncated(t *testing.T) {
	for _, name := range []string{"big_uint16.mat", "little_several.mat", "scipy_float64_zlib.mat",
		"little_small_2x2.mat"} {
		data, err := os.ReadFile(filepath.Join("../testdata/context/mat", name))
		if err != nil {
			t.Fatal(err)
		}
		whole, err := decode(data, "LabelMap")
		if err != nil {
			t.Fatal(err)
		}
		ends := 0
		for n := range data {
			if got, err := decode(data[:n], "LabelMap"); err != nil {
				ends++
			} else if diff := cmp.Diff(whole, got); diff != "" {
				t.Fatalf("%s: the first %d bytes give another map:\n%s", name, n, diff)
			}
		}
		if ends < len(data)/3 {
			t.Errorf("%s: only %d of %d prefixes are refused", name, ends, len(data))
		}
	}
}

// A compressed matrix that promises more than its bytes can hold takes no memory.
func TestMatBomb(t *testing.T) {
	const side = 8192
	head := matWith(9, []int32{side, side}, matUint8, []uint8{1})
	binary.LittleEndian.PutUint32(head[matHeaderLen+4:], side*side+56)
	binary.LittleEndian.PutUint32(head[len(head)-12:], side*side)
	for name, file := range map[string][]byte{"plain": head, "compressed": deflated(head)} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := decode(file, "LabelMap")
		runtime.ReadMemStats(&after)
		if !errors.Is(err, errMatTruncated) {
			t.Errorf("%s: %v", name, err)
		}
		if used := after.TotalAlloc - before.TotalAlloc; used > 1<<20 {
			t.Errorf("%s: %d bytes allocated for a file of %d", name, used, len(file))
		}
	}
}

// FuzzMat: whatever the file, no panic, and a map is as large as it says.
func FuzzMat(f *testing.F) {
	files, err := filepath.Glob("../testdata/context/mat/*.mat")
	if err != nil {
		f.Fatal(err)
	}
	for _, path := range files {
		data, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		l, err := decode(data, "LabelMap")
		if err == nil && (l.W <= 0 || l.H <= 0 || len(l.Pix) != l.W*l.H || len(l.Pix) > 8*deflateRatio*len(data)) {
			t.Fatalf("%dx%d with %d pixels of %d bytes", l.W, l.H, len(l.Pix), len(data))
		}
	})
}

// A map as large as those of PASCAL Context, with as long runs.
func BenchmarkReadMat(b *testing.B) {
	pix := make([]uint16, 375*500)
	for i := range pix {
		pix[i] = uint16(i / 1000 * 7 % 460)
	}
	plain := matWith(11, []int32{375, 500}, matUint16, pix)
	for name, file := range map[string][]byte{"plain": plain, "compressed": deflated(plain)} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(2 * len(pix)))
			for b.Loop() {
				if _, err := decode(file, "LabelMap"); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
