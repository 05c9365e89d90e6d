package picture

import (
	"bytes"
	"encoding/binary"
	"image"
	"strings"
	"testing"

	"golang.org/x/image/tiff"
)

// Of several pages none is taken for the picture; a thumbnail and a mask are no pages.
func TestTIFFPages(t *testing.T) {
	var b bytes.Buffer
	if err := tiff.Encode(&b, image.NewGray(image.Rect(0, 0, 3, 2)), nil); err != nil {
		t.Fatal(err)
	}
	le := binary.LittleEndian
	// with is the picture and directories behind its own, each of which says only what kind it is.
	with := func(kinds ...uint32) []byte {
		data := bytes.Clone(b.Bytes())
		at := int(le.Uint32(data[4:]))
		link := at + 2 + 12*int(le.Uint16(data[at:]))
		for _, kind := range kinds {
			le.PutUint32(data[link:], uint32(len(data)))
			data = le.AppendUint16(data, 1)
			data = le.AppendUint16(le.AppendUint16(data, 254), 4)
			data = le.AppendUint32(le.AppendUint32(data, 1), kind)
			link = len(data)
			data = le.AppendUint32(data, 0)
		}
		return data
	}
	for _, x := range []struct {
		kinds []uint32
		fault string
	}{
		{nil, ""}, {[]uint32{1}, ""}, {[]uint32{1, 4, 5}, ""},
		{[]uint32{0}, "several pages"}, {[]uint32{2}, "several pages"}, {[]uint32{1, 0}, "several pages"},
	} {
		_, err := Decode(with(x.kinds...), AsStored)
		if (err == nil) != (x.fault == "") || err != nil && !strings.Contains(err.Error(), x.fault) {
			t.Errorf("directories %v behind the first: %v", x.kinds, err)
		}
	}
	loop := with(1)
	le.PutUint32(loop[len(loop)-4:], le.Uint32(loop[4:])) // back to the first
	if _, err := Decode(loop, AsStored); err == nil || !strings.Contains(err.Error(), "several pages") {
		t.Errorf("directories in a circle: %v", err)
	}
}
