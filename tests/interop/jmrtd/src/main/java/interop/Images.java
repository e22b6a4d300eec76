package interop;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import org.jmrtd.cbeff.BiometricDataBlock;
import org.jmrtd.lds.ImageInfo;
import org.jmrtd.lds.icao.DG2File;
import org.jmrtd.lds.icao.DG3File;
import org.jmrtd.lds.iso19794.FaceInfo;
import org.jmrtd.lds.iso19794.FingerInfo;
import org.jmrtd.lds.iso39794.FaceImageDataBlock;
import org.jmrtd.lds.iso39794.FingerImageDataBlock;

/** The faces of DG2 and the fingers of DG3, as JMRTD reads them, after ISO/IEC 19794 and 39794. */
final class Images {
    private Images() {}

    /** The SHA-256 of each image, faces first. */
    static String describe(Map<String, byte[]> files) throws IOException, GeneralSecurityException {
        List<String> digests = new ArrayList<>();
        if (files.containsKey("DG2")) {
            addAll(new DG2File(new ByteArrayInputStream(files.get("DG2"))).getSubRecords(), digests);
        }
        if (files.containsKey("DG3")) {
            addAll(new DG3File(new ByteArrayInputStream(files.get("DG3"))).getSubRecords(), digests);
        }
        return String.join(" ", digests);
    }

    private static void addAll(List<BiometricDataBlock> blocks, List<String> digests)
            throws IOException, GeneralSecurityException {
        for (BiometricDataBlock block : blocks) {
            for (ImageInfo image : images(block)) {
                byte[] octets = image.getImageInputStream().readAllBytes();
                digests.add(HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(octets)));
            }
        }
    }

    private static List<? extends ImageInfo> images(BiometricDataBlock block) {
        if (block instanceof FaceInfo faces) {
            return faces.getFaceImageInfos();
        }
        if (block instanceof FingerInfo fingers) {
            return fingers.getFingerImageInfos();
        }
        if (block instanceof FaceImageDataBlock faces) {
            return faces.getRepresentationBlocks();
        }
        if (block instanceof FingerImageDataBlock fingers) {
            return fingers.getRepresentationBlocks();
        }
        throw new IllegalArgumentException("no face and no finger");
    }
}
