package interop;

import java.io.ByteArrayInputStream;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.PrivateKey;
import java.security.Provider;
import java.security.cert.Certificate;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import net.sf.scuba.smartcards.CardServiceException;
import org.jmrtd.PassportService;
import org.jmrtd.cert.CVCPrincipal;
import org.jmrtd.cert.CVCertificateFactorySpi;
import org.jmrtd.cert.CardVerifiableCertificate;
import org.jmrtd.protocol.EACCAResult;
import org.jmrtd.protocol.PACEResult;

/** Terminal Authentication version 1 (TR-03110-1 3.5): document verifier, terminal, and the terminal's signature. */
final class TerminalAuthentication {
    private final List<CardVerifiableCertificate> chain;
    private final PrivateKey key;

    /** The request names "terminal_chain", certificates below the chip's trust point, and "terminal_key", PKCS#8. */
    TerminalAuthentication(Request request, Provider provider) throws GeneralSecurityException {
        CVCertificateFactorySpi factory = new CVCertificateFactorySpi(); // JMRTD has no provider that names it
        chain = new ArrayList<>();
        for (String raw : request.text("terminal_chain").split(",")) {
            Certificate certificate =
                    factory.engineGenerateCertificate(new ByteArrayInputStream(HexFormat.of().parseHex(raw)));
            chain.add((CardVerifiableCertificate) certificate);
        }
        KeyFactory keys = KeyFactory.getInstance("EC", provider);
        key = keys.generatePrivate(new PKCS8EncodedKeySpec(request.octets("terminal_key")));
    }

    /** After PACE the chip is known by its ephemeral key, after BAC by its document number. */
    void run(PassportService service, EACCAResult chipAuthentication, PACEResult pace, String documentNumber)
            throws GeneralSecurityException, CardServiceException {
        CVCPrincipal authority = chain.get(0).getAuthorityReference();
        String algorithm = chain.get(chain.size() - 1).getSigAlgName();
        if (pace == null) {
            service.doEACTA(authority, chain, key, algorithm, chipAuthentication, documentNumber);
        } else {
            service.doEACTA(authority, chain, key, algorithm, chipAuthentication, pace);
        }
    }
}
