package jpeg

import "encoding/binary"

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
