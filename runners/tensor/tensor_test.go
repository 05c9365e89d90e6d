package tensor

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// file holds 0, 1, 2, … as float32, three bytes into the file so that nothing is aligned.
func file(t *testing.T, n int) string {
	t.Helper()
	data := []byte("abc")
	for i := range n {
		data = binary.LittleEndian.AppendUint32(data, math.Float32bits(float32(i)))
	}
	path := filepath.Join(t.TempDir(), "numbers")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestRefRead(t *testing.T) {
	path := file(t, 24)
	whole := Ref{Path: path, Offset: 3, Length: 96, DType: F32, Shape: []int{4, 6}}
	transposed := Ref{Path: path, Offset: 3, Length: 96, DType: F32, Shape: []int{6, 4}, Strides: []int{1, 6}}
	for _, c := range []struct {
		name string
		ref  Ref
		want []float32
	}{
		{"rows", whole.Rows(1, 2), []float32{6, 7, 8, 9, 10, 11}},
		{"strided", Ref{Path: path, Offset: 3, Length: 96, DType: F32, Shape: []int{2, 2}, Strides: []int{12, 2}},
			[]float32{0, 2, 12, 14}},
		{"rows of a transposed matrix", transposed.Rows(2, 4), []float32{2, 8, 14, 20, 3, 9, 15, 21}},
		{"scalar", Ref{Path: path, Offset: 3 + 4*5, Length: 4, DType: F32}, []float32{5}},
	} {
		got, err := c.ref.Read()
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
		} else if diff := cmp.Diff(c.want, got.Data); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", c.name, diff)
		}
	}
	for _, c := range []struct {
		name, want string
		ref        Ref
	}{
		{"behind the end", "lie outside the file", Ref{Path: path, Offset: 4, Length: 96, DType: F32, Shape: []int{24}}},
		{"too short", "too few for shape", Ref{Path: path, Offset: 3, Length: 8, DType: F32, Shape: []int{3}}},
		{"too short for strides", "too few for shape", Ref{Path: path, Offset: 3, Length: 16, DType: F32, Shape: []int{2, 2},
			Strides: []int{12, 1}}},
		{"negative", "lie outside the file", Ref{Path: path, Offset: -1, Length: 4, DType: F32, Shape: []int{1}}},
	} {
		if _, err := c.ref.Read(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", c.name, err, c.want)
		}
	}
}

// Every binary16 number, against the definition in IEEE 754-2008, 3.4: (-1)^s 2^(e-15) (1 + f/1024), and
// (-1)^s 2^-14 (f/1024) for e = 0.
func TestHalfToFloat(t *testing.T) {
	for h := range 1 << 16 {
		s, e, f := 1-2*float64(h>>15), h>>10&31, float64(h&1023)
		want := s * math.Ldexp(1+f/1024, e-15)
		switch {
		case e == 0:
			want = s * math.Ldexp(f/1024, -14)
		case e == 31 && f == 0:
			want = s * math.Inf(1)
		case e == 31:
			want = math.NaN()
		}
		got := float64(HalfToFloat(uint16(h)))
		if got != want && !(math.IsNaN(got) && math.IsNaN(want)) || math.Signbit(got) != math.Signbit(want) &&
			!math.IsNaN(want) {
			t.Fatalf("half %#04x is %v, want %v", h, got, want)
		}
	}
}

func TestElements(t *testing.T) {
	for _, c := range []struct {
		shape []int
		n     int64
		ok    bool
	}{
		{nil, 1, true}, {[]int{2, 0, 3}, 0, true}, {[]int{3, 4}, 12, true},
		{[]int{-1, 4}, 0, false}, {[]int{1 << 40, 1 << 40}, 0, false},
	} {
		if n, ok := Elements(c.shape); n != c.n || ok != c.ok {
			t.Errorf("Elements(%v) = %d, %v; want %d, %v", c.shape, n, ok, c.n, c.ok)
		}
	}
}

func TestNPYRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		shape := rapid.SliceOfN(rapid.IntRange(0, 4), 0, 4).Draw(t, "shape")
		d := New(shape...)
		for i := range d.Data {
			d.Data[i] = rapid.Float32().Draw(t, "x")
		}
		var b bytes.Buffer
		if err := WriteNPY(&b, d); err != nil {
			t.Fatal(err)
		}
		got, err := ReadNPY(&b)
		if err != nil {
			t.Fatal(err)
		}
		if len(got.Data) != len(d.Data) || len(got.Shape) != len(shape) {
			t.Fatalf("shape %v became %v", shape, got.Shape)
		}
		for i := range d.Data {
			if got.Data[i] != d.Data[i] {
				t.Fatalf("element %d: %v became %v", i, d.Data[i], got.Data[i])
			}
		}
	})
}

// The bytes numpy 1.26 writes for numpy.array([[1, 2, 3]], dtype="<f4") with numpy.save.
func TestNPYIsNumPys(t *testing.T) {
	var b bytes.Buffer
	if err := WriteNPY(&b, Dense{Shape: []int{1, 3}, Data: []float32{1, 2, 3}}); err != nil {
		t.Fatal(err)
	}
	header := "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 3), }"
	want := "\x93NUMPY\x01\x00v\x00" + header + strings.Repeat(" ",
		117-len(header)) + "\n\x00\x00\x80?\x00\x00\x00@\x00\x00@@"
	if b.String() != want {
		t.Errorf("got  %q\nwant %q", b.String(), want)
	}
}

// The bytes numpy 2.4 writes for numpy.asfortranarray(numpy.arange(24, dtype="u1").reshape(2, 3, 4)).
func TestReadNPYInFortranOrder(t *testing.T) {
	header := "{'descr': '|u1', 'fortran_order': True, 'shape': (2, 3, 4), }"
	file := "\x93NUMPY\x01\x00v\x00" + header + strings.Repeat(" ", 117-len(header)) + "\n" +
		"\x00\x0c\x04\x10\x08\x14\x01\r\x05\x11\t\x15\x02\x0e\x06\x12\n\x16\x03\x0f\x07\x13\x0b\x17"
	d, err := ReadNPY(strings.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	_, wide, err := ReadNPY64(strings.NewReader(file), maxNPY)
	if err != nil || len(wide) != 24 || len(d.Data) != 24 {
		t.Fatal(len(wide), len(d.Data), err)
	}
	for i := range 24 {
		if d.Data[i] != float32(i) || wide[i] != float64(i) {
			t.Fatalf("element %d is %v and %v", i, d.Data[i], wide[i])
		}
	}
}

// The elements numpy 2.4 stores for numpy.array([1, 200], dtype) and numpy.array([-1.5, 2.5], dtype) (-1 and 2 as
// integers).
func TestReadNPYTypes(t *testing.T) {
	for _, c := range []struct {
		descr, data string
		want        [2]float64
	}{
		{"|u1", "\x01\xc8", [2]float64{1, 200}},
		{"<u2", "\x01\x00\xc8\x00", [2]float64{1, 200}},
		{">u2", "\x00\x01\x00\xc8", [2]float64{1, 200}},
		{"<u4", "\x01\x00\x00\x00\xc8\x00\x00\x00", [2]float64{1, 200}},
		{"<u8", "\x01\x00\x00\x00\x00\x00\x00\x00\xc8\x00\x00\x00\x00\x00\x00\x00", [2]float64{1, 200}},
		{"|b1", "\x01\x01", [2]float64{1, 1}},
		{"|i1", "\xff\x02", [2]float64{-1, 2}},
		{"<i2", "\xff\xff\x02\x00", [2]float64{-1, 2}},
		{">i4", "\xff\xff\xff\xff\x00\x00\x00\x02", [2]float64{-1, 2}},
		{"<i8", "\xff\xff\xff\xff\xff\xff\xff\xff\x02\x00\x00\x00\x00\x00\x00\x00", [2]float64{-1, 2}},
		{"<f2", "\x00\xbe\x00\x41", [2]float64{-1.5, 2.5}},
		{"=f4", "\x00\x00\xc0\xbf\x00\x00\x20\x40", [2]float64{-1.5, 2.5}},
		{">f4", "\xbf\xc0\x00\x00\x40\x20\x00\x00", [2]float64{-1.5, 2.5}},
		{">f8", "\xbf\xf8\x00\x00\x00\x00\x00\x00\x40\x04\x00\x00\x00\x00\x00\x00", [2]float64{-1.5, 2.5}},
	} {
		header := "{'descr': '" + c.descr + "', 'fortran_order': False, 'shape': (2,), }"
		file := "\x93NUMPY\x01\x00v\x00" + header + strings.Repeat(" ", 117-len(header)) + "\n" + c.data
		_, wide, err := ReadNPY64(strings.NewReader(file), maxNPY)
		if err != nil || len(wide) != 2 || [2]float64(wide) != c.want {
			t.Errorf("%s: %v (%v), want %v", c.descr, wide, err, c.want)
		}
		d, err := ReadNPY(strings.NewReader(file))
		if err != nil || len(d.Data) != 2 || float64(d.Data[0]) != c.want[0] || float64(d.Data[1]) != c.want[1] {
			t.Errorf("%s as float32: %v (%v), want %v", c.descr, d.Data, err, c.want)
		}
	}
	for _, descr := range []string{"<c8", "<f16", "|S4", "<U1", "|O", "<M8[ns]"} {
		header := "{'descr': '" + descr + "', 'fortran_order': False, 'shape': (1,), }"
		file := "\x93NUMPY\x01\x00v\x00" + header + strings.Repeat(" ", 117-len(header)) + "\n" + strings.Repeat("x", 64)
		if _, _, err := ReadNPY64(strings.NewReader(file), maxNPY); err == nil {
			t.Errorf("%s was read", descr)
		}
	}
}

func FuzzReadNPY(f *testing.F) {
	var b bytes.Buffer
	WriteNPY(&b, Dense{Shape: []int{2, 2}, Data: []float32{1, 2, 3, 4}})
	f.Add(b.Bytes())
	f.Add([]byte("\x93NUMPY\x01\x00\x46\x00{'descr': '<f8', 'fortran_order': False, 'shape': (999999999999,), }   \n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := ReadNPY(bytes.NewReader(data))
		if n, _ := Elements(d.Shape); err == nil && n != int64(len(d.Data)) {
			t.Fatalf("shape %v with %d elements", d.Shape, len(d.Data))
		}
	})
}

// Rows written one by one are the file of the whole array; a fault of a row is the fault of the file.
func TestNPYRows(t *testing.T) {
	d := Dense{Shape: []int{3, 2, 2}, Data: []float32{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}}
	var whole, rows bytes.Buffer
	if err := WriteNPY(&whole, d); err != nil {
		t.Fatal(err)
	}
	row := func(i int) ([]float32, error) { return d.At(i).Data, nil }
	if err := WriteNPYRows(&rows, d.Shape, row); err != nil || !bytes.Equal(rows.Bytes(), whole.Bytes()) {
		t.Errorf("%v\n%q\n%q", err, rows.Bytes(), whole.Bytes())
	}
	if err := WriteNPYRows(&rows, []int{0, 2}, row); err != nil {
		t.Errorf("no rows: %v", err)
	}
	for _, c := range []struct {
		shape []int
		row   func(int) ([]float32, error)
		want  string
	}{
		{[]int{3, 5}, row, "row 0 of shape [3 5] has 4 elements"},
		{nil, row, "has no rows"},
		{[]int{-1, 4}, row, "has no rows"},
		{[]int{1, 4}, func(int) ([]float32, error) { return nil, errors.New("broken") }, "broken"},
	} {
		if err := WriteNPYRows(&rows, c.shape, c.row); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: error %v, want %s", c.shape, err, c.want)
		}
	}
}

// Bytes in portions come back as they went; too many or too few are refused.
func TestWriteNPYBytes(t *testing.T) {
	write := func(portions ...[]byte) (*bytes.Buffer, error) {
		var b bytes.Buffer
		err := WriteNPYBytes(&b, []int{2, 3}, func(put func([]byte) error) error {
			for _, p := range portions {
				if err := put(p); err != nil {
					return err
				}
			}
			return nil
		})
		return &b, err
	}
	b, err := write([]byte{1, 2}, []byte{3, 4, 5, 255})
	if err != nil {
		t.Fatal(err)
	}
	d, err := ReadNPY(b)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Dense{Shape: []int{2, 3}, Data: []float32{1, 2, 3, 4, 5, 255}}, d); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, portions := range [][][]byte{{{1, 2, 3}}, {{1, 2, 3, 4}, {5, 6, 7}}} {
		if _, err := write(portions...); err == nil {
			t.Errorf("%v was written as 2 x 3 bytes", portions)
		}
	}
}
