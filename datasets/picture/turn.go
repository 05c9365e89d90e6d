package picture

import "image"

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
