package interop;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import org.jmrtd.cbeff.BiometricDataBlock;
import org.jmrtd.lds.icao.DG4File;
import org.jmrtd.lds.iso19794.IrisBiometricSubtypeInfo;
import org.jmrtd.lds.iso19794.IrisImageInfo;
import org.jmrtd.lds.iso19794.IrisInfo;

/** What DG4 holds, as JMRTD reads it. */
final class Irises {
    private Irises() {}

    /** For each image: eye, image format, width, height, intensity depth, number, quality, and the image's SHA-256. */
    static String describe(byte[] dg4) throws IOException, GeneralSecurityException {
        List<String> images = new ArrayList<>();
        for (BiometricDataBlock block : new DG4File(new ByteArrayInputStream(dg4)).getSubRecords()) {
            IrisInfo record = (IrisInfo) block;
            for (IrisBiometricSubtypeInfo eye : record.getIrisBiometricSubtypeInfos()) {
                for (IrisImageInfo image : eye.getIrisImageInfos()) {
                    images.add(String.join(
                            " ",
                            String.valueOf(eye.getBiometricSubtype()),
                            String.valueOf(record.getImageFormat()),
                            String.valueOf(record.getRawImageWidth()),
                            String.valueOf(record.getRawImageHeight()),
                            String.valueOf(record.getIntensityDepth()),
                            String.valueOf(image.getImageNumber()),
                            String.valueOf(image.getQuality()),
                            digest(image)));
                }
            }
        }
        return String.join(", ", images);
    }

    private static String digest(IrisImageInfo image) throws IOException, GeneralSecurityException {
        byte[] octets = image.getImageInputStream().readAllBytes();
        return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(octets));
    }
}
