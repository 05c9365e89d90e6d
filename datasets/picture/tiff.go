package picture

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"image"

	"golang.org/x/image/tiff"
)

// decodeTIFF decodes a file of one page, which may have thumbnails and masks beside it.
func decodeTIFF(data []byte) (image.Image, error) {
	m, err := tiff.Decode(bytes.NewReader(data))
	if err == nil && severalPages(data) {
		return nil, errors.New("the TIFF has several pages; save the one that is meant as a file of its own")
	}
	return m, explainTIFF(err)
}

// severalPages reports whether a TIFF has, behind its first image, another one that is neither a smaller copy nor a
// mask (TIFF 6.0, section 8, NewSubfileType). Damaged directories end the search.
func severalPages(data []byte) bool {
	var order binary.ByteOrder = binary.LittleEndian
	if data[0] == 'M' {
		order = binary.BigEndian
	}
	at := int(order.Uint32(data[4:]))
	for page := range 64 {
		if at == 0 || at+2 > len(data) {
			break
		}
		fields := int(order.Uint16(data[at:]))
		next := at + 2 + 12*fields
		if next+4 > len(data) {
			break
		}
		const (
			subfile  = 254
			smaller  = 1 << 0
			maskOnly = 1 << 2
		)
		kind := uint32(0)
		for i := at + 2; i < next; i += 12 {
			if order.Uint16(data[i:]) == subfile {
				kind = order.Uint32(data[i+8:])
			}
		}
		if page > 0 && kind&(smaller|maskOnly) == 0 {
			return true
		}
		at = int(order.Uint32(data[next:]))
	}
	return false
}

// explainTIFF says what to do about one of the many things that a TIFF can hold.
func explainTIFF(err error) error {
	if errors.As(err, new(tiff.UnsupportedError)) {
		return fmt.Errorf("%w; save it as PNG, or as a TIFF of 8-bit or 16-bit grey, or RGB", err)
	}
	return err
}
