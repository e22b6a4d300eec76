"""Countries: the two letters of a certificate's C, and the one to three letters of an MRZ (Doc 9303-3 section 5).

Certificates name a state by ISO 3166-1 alpha-2 (Doc 9303-12 7.1.1), machine readable zones by alpha-3 and by codes of
ICAO's own, several of which may stand for one issuer.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

_ISO_3166_1: Final = """
AD:AND AE:ARE AF:AFG AG:ATG AI:AIA AL:ALB AM:ARM AO:AGO AQ:ATA AR:ARG AS:ASM AT:AUT AU:AUS AW:ABW AX:ALA AZ:AZE BA:BIH
BB:BRB BD:BGD BE:BEL BF:BFA BG:BGR BH:BHR BI:BDI BJ:BEN BL:BLM BM:BMU BN:BRN BO:BOL BQ:BES BR:BRA BS:BHS BT:BTN BV:BVT
BW:BWA BY:BLR BZ:BLZ CA:CAN CC:CCK CD:COD CF:CAF CG:COG CH:CHE CI:CIV CK:COK CL:CHL CM:CMR CN:CHN CO:COL CR:CRI CU:CUB
CV:CPV CW:CUW CX:CXR CY:CYP CZ:CZE DE:DEU DJ:DJI DK:DNK DM:DMA DO:DOM DZ:DZA EC:ECU EE:EST EG:EGY EH:ESH ER:ERI ES:ESP
ET:ETH FI:FIN FJ:FJI FK:FLK FM:FSM FO:FRO FR:FRA GA:GAB GB:GBR GD:GRD GE:GEO GF:GUF GG:GGY GH:GHA GI:GIB GL:GRL GM:GMB
GN:GIN GP:GLP GQ:GNQ GR:GRC GS:SGS GT:GTM GU:GUM GW:GNB GY:GUY HK:HKG HM:HMD HN:HND HR:HRV HT:HTI HU:HUN ID:IDN IE:IRL
IL:ISR IM:IMN IN:IND IO:IOT IQ:IRQ IR:IRN IS:ISL IT:ITA JE:JEY JM:JAM JO:JOR JP:JPN KE:KEN KG:KGZ KH:KHM KI:KIR KM:COM
KN:KNA KP:PRK KR:KOR KW:KWT KY:CYM KZ:KAZ LA:LAO LB:LBN LC:LCA LI:LIE LK:LKA LR:LBR LS:LSO LT:LTU LU:LUX LV:LVA LY:LBY
MA:MAR MC:MCO MD:MDA ME:MNE MF:MAF MG:MDG MH:MHL MK:MKD ML:MLI MM:MMR MN:MNG MO:MAC MP:MNP MQ:MTQ MR:MRT MS:MSR MT:MLT
MU:MUS MV:MDV MW:MWI MX:MEX MY:MYS MZ:MOZ NA:NAM NC:NCL NE:NER NF:NFK NG:NGA NI:NIC NL:NLD NO:NOR NP:NPL NR:NRU NU:NIU
NZ:NZL OM:OMN PA:PAN PE:PER PF:PYF PG:PNG PH:PHL PK:PAK PL:POL PM:SPM PN:PCN PR:PRI PS:PSE PT:PRT PW:PLW PY:PRY QA:QAT
RE:REU RO:ROU RS:SRB RU:RUS RW:RWA SA:SAU SB:SLB SC:SYC SD:SDN SE:SWE SG:SGP SH:SHN SI:SVN SJ:SJM SK:SVK SL:SLE SM:SMR
SN:SEN SO:SOM SR:SUR SS:SSD ST:STP SV:SLV SX:SXM SY:SYR SZ:SWZ TC:TCA TD:TCD TF:ATF TG:TGO TH:THA TJ:TJK TK:TKL TL:TLS
TM:TKM TN:TUN TO:TON TR:TUR TT:TTO TV:TUV TW:TWN TZ:TZA UA:UKR UG:UGA UM:UMI US:USA UY:URY UZ:UZB VA:VAT VC:VCT VE:VEN
VG:VGB VI:VIR VN:VNM VU:VUT WF:WLF WS:WSM YE:YEM YT:MYT ZA:ZAF ZM:ZMB ZW:ZWE
"""

ALPHA_3: Final = MappingProxyType({pair[:2]: pair[3:] for pair in _ISO_3166_1.split()})
"""ISO 3166-1 alpha-3 by alpha-2."""

# What a document may say besides, or instead of, the alpha-3 code of the state whose authority signed it.
_OTHER_CODES: Final[dict[str, tuple[str, ...]]] = {
    "DE": ("D",),  # Doc 9303-3 section 5, part B
    "EU": ("EUE",),  # part D: laissez-passer of the European Union
    "GB": ("GBD", "GBN", "GBO", "GBP", "GBS"),  # part B: nationals who are no citizens
    "HK": ("CHN",),  # the passports of Hong Kong and Macao name China as their issuing state
    "KS": ("RKS",),  # Kosovo, as its authority names itself
    "MO": ("CHN",),
    "UN": ("UNO", "UNA", "UNK"),  # part C: the organization, its agencies, its mission in Kosovo
    "UT": ("UTO",),  # Utopia: the specimens of Doc 9303
    "XK": ("RKS", "XKX"),
}


_CODES: Final = {
    country: frozenset(((ALPHA_3[country],) if country in ALPHA_3 else ()) + _OTHER_CODES.get(country, ()))
    for country in (*ALPHA_3, *_OTHER_CODES)
}
_UNKNOWN: Final[frozenset[str]] = frozenset()


def issuing_codes(country: str) -> frozenset[str]:
    """The issuing-state codes that documents of this country may show; empty where the country is unknown.

    Args:
        country: two letters, in either case.
    """
    return _CODES.get(country.upper(), _UNKNOWN)


def is_issuing_code(state: str) -> bool:
    """Whether documents of a known country may show this issuing-state code, with or without its fillers."""
    return any(state.rstrip("<").upper() in codes for codes in _CODES.values())


def is_same_state(country: str, state: str) -> bool:
    """Whether a certificate's country and a document's issuing state are one issuer; False where either is unknown.

    Args:
        country: C of the certificate. state: as the MRZ has it, with or without its fillers.
    """
    return state.rstrip("<").upper() in _CODES.get(country.upper(), _UNKNOWN)


def alpha_2_of(state: str) -> str | None:
    """The certificate country of an issuing-state code ("MAR" gives "MA"), None where it is unknown or several."""
    code = state.rstrip("<").upper()
    found = {alpha_2 for alpha_2, alpha_3 in ALPHA_3.items() if alpha_3 == code}
    if not found:
        found = {alpha_2 for alpha_2, others in _OTHER_CODES.items() if code in others}
    return found.pop() if len(found) == 1 else None


def state_code_of(country: str) -> str | None:
    """The issuing-state code of a country's own documents: "MA" gives "MAR", "DE" gives "D"; None where unknown."""
    code = country.upper()
    if code == "DE":
        return "D"
    return ALPHA_3.get(code) or next(iter(_OTHER_CODES.get(code, ())), None)
