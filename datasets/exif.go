package datasets

import (
	"encoding/binary"
	"image"
)

// exifOrientation reads tag 0x0112 of the first directory of a TIFF block (EXIF 2.3, section
// 4.6.4): 1..8, and 1 where it is absent or the block is damaged.
func exifOrientation(tiff []byte) uint8 {
	if len(tiff) < 8 {
		return 1
	}
	var order binary.ByteOrder = binary.BigEndian
	if string(tiff[:2]) == "II" {
		order = binary.LittleEndian
	}
	at := int64(order.Uint32(tiff[4:]))
	if at+2 > int64(len(tiff)) {
		return 1
	}
	entries := tiff[at+2:]
	for range order.Uint16(tiff[at:]) {
		if len(entries) < 12 {
			return 1
		}
		const orientation, short = 0x0112, 3
		if order.Uint16(entries) == orientation && order.Uint16(entries[2:]) == short {
			if v := order.Uint16(entries[8:]); v >= 1 && v <= 8 {
				return uint8(v)
			}
			return 1
		}
		entries = entries[12:]
	}
	return 1
}

// turn makes a picture stored with an EXIF orientation upright.
func turn(src *image.NRGBA, orientation uint8) *image.NRGBA {
	w, h := src.Rect.Dx(), src.Rect.Dy()
	if orientation <= 1 || orientation > 8 {
		return src
	}
	outW, outH := w, h
	if orientation >= 5 {
		outW, outH = h, w
	}
	dst := image.NewNRGBA(image.Rect(0, 0, outW, outH))
	for y := range outH {
		for x := range outW {
			sx, sy := x, y
			switch orientation {
			case 2: // mirrored
				sx = w - 1 - x
			case 3: // upside down
				sx, sy = w-1-x, h-1-y
			case 4: // mirrored and upside down
				sy = h - 1 - y
			case 5: // transposed
				sx, sy = y, x
			case 6: // a quarter turn clockwise makes it upright
				sx, sy = y, h-1-x
			case 7: // transposed about the other diagonal
				sx, sy = w-1-y, h-1-x
			case 8: // a quarter turn counter-clockwise makes it upright
				sx, sy = w-1-y, x
			}
			copy(dst.Pix[y*dst.Stride+4*x:][:4], src.Pix[sy*src.Stride+4*sx:][:4])
		}
	}
	return dst
}
