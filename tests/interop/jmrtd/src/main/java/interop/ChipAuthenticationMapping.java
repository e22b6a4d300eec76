package interop;

import java.io.IOException;
import java.math.BigInteger;
import java.security.GeneralSecurityException;
import java.security.interfaces.ECPublicKey;
import java.util.Arrays;
import java.util.List;
import javax.crypto.Cipher;
import javax.crypto.spec.IvParameterSpec;
import org.bouncycastle.jcajce.provider.asymmetric.util.EC5Util;
import org.bouncycastle.math.ec.ECCurve;
import org.bouncycastle.math.ec.ECPoint;
import org.jmrtd.lds.ChipAuthenticationPublicKeyInfo;
import org.jmrtd.protocol.PACECAMResult;
import org.jmrtd.protocol.PACEGMMappingResult;

/** PACE with chip-authentication mapping: JMRTD has run it, Bouncy Castle judges the chip's data (Doc 9303-11 4.4.3.5). */
final class ChipAuthenticationMapping {
    private ChipAuthenticationMapping() {}

    /** Whether CA_IC times a key of DG14 is the key that the chip has used for mapping. */
    static boolean isRight(PACECAMResult result, byte[] dg14) throws IOException, GeneralSecurityException {
        ECPublicKey mapping = (ECPublicKey) ((PACEGMMappingResult) result.getMappingResult()).getPICCMappingPublicKey();
        ECCurve curve = EC5Util.convertCurve(mapping.getParams().getCurve());
        ECPoint expected = EC5Util.convertPoint(curve, mapping.getW());
        BigInteger data = new BigInteger(1, data(result));
        return keys(dg14, mapping).stream()
                .anyMatch(key -> EC5Util.convertPoint(curve, key.getW()).multiply(data).equals(expected));
    }

    /**
     * CA_IC. JMRTD decrypts with an initialisation vector of ones, where Doc 9303-11 4.4.3.5 takes the ones encrypted
     * under KS_Enc; so what JMRTD gives has a wrong first block, and the driver decrypts by itself.
     */
    private static byte[] data(PACECAMResult result) throws GeneralSecurityException {
        byte[] ones = new byte[16];
        Arrays.fill(ones, (byte) 0xFF);
        Cipher block = Cipher.getInstance("AES/ECB/NoPadding");
        block.init(Cipher.ENCRYPT_MODE, result.getWrapper().getEncryptionKey());
        Cipher chain = Cipher.getInstance("AES/CBC/ISO7816-4Padding");
        IvParameterSpec vector = new IvParameterSpec(block.doFinal(ones));
        chain.init(Cipher.DECRYPT_MODE, result.getWrapper().getEncryptionKey(), vector);
        return chain.doFinal(result.getEncryptedChipAuthenticationData());
    }

    private static List<ECPublicKey> keys(byte[] dg14, ECPublicKey ofCurve) throws IOException {
        return SecurityInfos.all(dg14, ChipAuthenticationPublicKeyInfo.class)
                .map(ChipAuthenticationPublicKeyInfo::getSubjectPublicKey)
                .filter(ECPublicKey.class::isInstance)
                .map(ECPublicKey.class::cast)
                .filter(key -> key.getParams().getCurve().equals(ofCurve.getParams().getCurve()))
                .toList();
    }
}
