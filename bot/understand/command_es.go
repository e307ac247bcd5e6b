package understand

// spanish are the words that the patterns of Spanish are made of, as they fold.
var spanish = map[string]string{
	"some":   `alguien|algun|alguno|alguna|otro|otra`,
	"staff":  `persona|personas|persona real|ser humano|humano|humana|humanos|agente|agentes|operador|operadora|representante|asesor|asesora|tecnico|tecnica|tecnicos|encargado|encargada|supervisor|supervisora|gerente|jefe|jefa|soporte|soporte tecnico|mesa de ayuda|ayuda tecnica|help desk|helpdesk|secretaria|recepcionista|empleado|empleada|ejecutivo|ejecutiva|especialista|gente|muchacho|muchacha|trabajador|trabajadora|companero|companera|manager|representative|person|somebody|informatica|sistemas|departamento de [a-z]+|los de sistemas|los de tecnologia|los de it|los de informatica|el de sistemas|it`,
	"a":      `un|una|unos|unas|el|la|los|las|algun|alguna|algunos|otro|otra|su|mi|con|a|al|de|del`,
	"kind":   `buen|buena|verdadera|verdadero|real|mejor`,
	"who":    `(?:(?:{a}) )*(?:(?:{kind}) )*(?:alguien|{staff})`,
	"polite": `por favor|porfa|porfavor|xfa|plis|ya|ahora|ahorita|mismo|aqui|gracias|urgente|pues`,
	"reach":  `(?:hablar|platicar|comunicar|comunicarme|comunicarnos|comuniqueme|comuniquenme|comunicame|comunique|comunicas|comunica|comuniquen|conectar|conectarme|conecteme|conectame|conecta|conecte|contactar|contactarme|contacteme|chatear|conversar|charlar|hable|dialogar|enlazar|enlaceme|enlazame|conversacion|tratar|derivar|derivarme|hablarle|hablarles|que hable|communicate)(?: (?:yo|mejor|directamente|por telefono|en persona|directo|ya|ahora|rapido|por favor))* (?:con|a|al)`,
	"give":   `(?:pase|pasa|paseme|pasame|pasenme|pasan|pasar|pasarme|pases|pasas|ponga|pongame|ponme|poner|ponganme|transfiera|transfierame|transfiereme|transferir|transferirme|transfiere|transfieras|de|deme|dame|denme|mande|mandeme|mandame|manden|mandenme|mandar|mandarme|enviar|envien|envie|consigame|consigueme|traigame|busqueme|buscame|dirijame|dirigeme|derive|derivame|deriveme|llame|llamen|llama|llamar|contacte|contactar|contacto|escalar|comunicar)(?: (?:me|mejor|ya|ahora))*`,
	"need":   `(?:quiero|quisiera|necesito|ocupo|nesesito|necesitamos|queremos|kiero|prefiero|busco|requiero|solicito|preferiria|me gustaria|exijo|pido|que venga|que me atienda|ver|hablarle)`,
	"help":   `ayud[a-z]*|atiend[a-z]*|atend[a-z]*|llam[a-z]*|marqu?[a-z]*|expli[a-z]*|habl[a-z]*|contest[a-z]*|asist[a-z]*|venga|venir|respond[a-z]*|guie|guiar|apoy[a-z]*|auxili[a-z]*|ech[a-z]* (?:una|la) mano|resuelva|orient[a-z]*|ensen[a-z]*|escriba|atiendan|haga (?:el favor|esto)|contacte`,
	"bot":    `(?:un |una |esta |este |la |el |las |los |ningun |ninguna |con |otra |otro )*(?:bot|robot|robots|maquina|maquinas|computadora|computador|ordenador|contestadora|grabadora|grabacion|inteligencia artificial|ia|programa|chatbot|usted)`,
}

// A Spanish wish for a person, what is none, and the wish to stop.
var humanSpanish = compile(false, spanish,
	`{reach} {who}`,
	`{give} {who}`,
	`(?:mejor|prefiero que|y si|puedo|yo) (?:hablo|platico) con {who}`,
	`(?:que|cual) numero (?:puedo|debo|tengo que|hay que|le|se puede)* ?(?:llamar|llamo|marcar|marco)`,
	`transfieranme|comuniqueme$|paseme(?: por favor)?$`,
	`{need}(?: (?:que|hablar|a|con|mejor|ya|ir|ver|de|la ayuda de|ayuda de|me atienda|me ayude|me llame))* {who}`,
	`(?:que )?(?:me |nos )?(?:puede|pueden|podria|podrian|puedes|pudiera|quiere|va a|haga que|favor de que|que) ?(?:me |nos )?(?:{help})(?: (?:me|con esto|ya|por favor))* {who}`,
	`que (?:me|nos) (?:{help})(?: (?:con esto|ya|por telefono))* (?:{who})`,
	`(?:me|nos) (?:ayuda|atiende|llama|explica|comunica|contesta|marca|asiste)(?: (?:con esto|ya|por telefono))* {who}`,
	`(?:alguien|algun [a-z]+|alguna persona|una persona|un tecnico|otra persona|un agente|la mesa de ayuda|un humano)(?: (?:que|me|nos|le|pueda|puede|podria|podra|pudiera|quien|alla|ahi|de ahi|de alla|de la oficina|por favor|de soporte|de it|en persona|real))* (?:{help})`,
	`(?:hay|habra|esta|no hay|sigue|tienen|tiene) (?:alguien|algun tecnico|una persona|alguna persona|un humano|algun humano|un agente|algun agente|un tecnico|persona|personas|alguien mas|nadie)(?: (?:ahi|que|en|disponible|con quien|con el que|con la que|de|para|por|hoy|ahorita|ahora|a quien|alli|alla|real|del|con)\b| ?$)`,
	`(?:con|a) quien(?: (?:puedo|tengo que|debo|hay que|me|le|puedo ir a|voy a|podria|puede uno|se|mas|yo|es que))* (?:hablar|voy|ir|vamos|comunico|comunicarme|pregunto|preguntar|acudo|acudir|veo|ver|dirijo|dirigirme|llamo|llamar|llamarle|marco|marcar|marcarle|contacto|contactar|pido ayuda|pedir ayuda|busco|recurro|le hablo para|hablo para|le pido|hay que hablar|hay que ir)`,
	`quien(?: (?:me|nos|puede|podria|pudiera|va a|pueda))+ (?:{help})`,
	`(?:numero|telefono|tel|contacto|extension|linea)(?: (?:de|del|para|a|al|que|donde|la|el|los|un|una|telefono))* (?:soporte|soporte tecnico|mesa de ayuda|mesa|help desk|helpdesk|it|ayuda|tecnico|tecnicos|sistemas|oficina|persona|hablar con|llamar a|tecnologia|informatica|encargado|encargada)`,
	`(?:numero|telefono) (?:al que|donde|a donde|para|al cual) (?:puedo |puede uno |uno puede )?(?:llamar|marcar|hablar|llame|marque)`,
	`(?:persona|personas|gente|humano|alguien) (?:real|reales|de verdad|verdadera|verdadero|de carne y hueso|viva|vivo|humana)`,
	`(?:ser humano|carne y hueso|trato humano|atencion humana|atencion personal|atencion en persona|servicio al cliente|atencion al cliente|ayuda humana|representante)`,
	`(?:{polite}) (?:un |una )?(?:persona|humano|agente|operador|operadora|asesor|tecnico|alguien)$`,
	`^(?:(?:{polite}|un|una|hola|con|no|si|quiero|mejor|solo) )*(?:persona|humano|humana|agente|operador|operadora|asesor|asesora|tecnico|alguien|supervisor|encargado|gerente)(?: (?:{polite}))*$`,
	`(?:no quiero|no me gusta|no me sirve|no sirve|odio|harto de|harta de|cansado de|cansada de|ya no quiero|nada de|basta de|no soporto|estoy harto de|no pienso)(?: (?:hablar|hablarle|platicar|seguir hablando|tratar|escribirle|escribir|que me atienda|hablando|escribiendo))?(?: (?:con|a|de))? {bot}`,
	`(?:ayuda|ayudenme|ayudeme|atencion) (?:en persona|personal|presencial|de una persona|de alguien|humana)`,
	`nadie me (?:ayuda|contesta|atiende|responde|hace caso)`,
	`(?:ir|paso|pasar|voy|vengan|venga) (?:a|por) (?:la |mi |el |su )?(?:oficina|mesa de ayuda|salon|escuela|escritorio|ventanilla) (?:para que|a que|y que|de soporte|de sistemas)`,
)

var notHumanSpanish = compile(false, spanish,
	`(?:eres|es|es usted|usted es|sos|tu eres|esto es|esta es|estas|sera|seras|quien es|quien eres)(?: (?:tu|usted|ustedes|un|una|el|la|de verdad|realmente|acaso|como|algun|alguna|o))* (?:persona|humano|humana|ser humano|robot|bot|maquina|computadora|persona real|alguien|agente|gente)(?: (?:real|de verdad|humana|humano|verdadera))?(?: o(?: (?:un|una|es|una))* [a-z]+)*`,
	`(?:estoy|estare|ando)(?: (?:hablando|platicando|chateando|escribiendo|escribiendole|tratando))(?: (?:con|a))(?: (?:un|una|el|la))* (?:persona|humano|humana|alguien|ser humano|agente|robot|bot|maquina|computadora)(?: (?:real|de verdad))?(?: o(?: (?:con|un|una))* [a-z]+)*`,
	`(?:^|\| )(?:hablo|platico|chateo) con(?: (?:un|una))* (?:persona|humano|humana|alguien|agente)(?: (?:real|de verdad))? o(?: (?:con|un|una))* [a-z]+`,
	`(?:no|nunca|tampoco|jamas|ni)(?: (?:me|nos|le|se|te|lo|yo|es|era|hace|quiero que))*(?: (?:quiero|quisiera|necesito|ocupo|deseo|hace falta|falta|necesario|pase|pases|pasen|pasame|comunique|comuniques|comuniquen|conecte|conectes|transfiera|transfieras|mande|mandes|manden|llame|llamen|llames|pienso|voy|tengo|quiera|gusta|interesa|busco|pido|estoy|pedi|busque|preciso|de|den|des|ponga|pongas))+(?: (?:me|que|de|para|a|con|hablar|platicar|chatear|tratar|ver|llamar|comunicarme|ayuda|llame|llamen|atienda|pasar|moleste|ir|pedirle|contactar|ningun|ninguna|un|una|el|la|al|ganas|molestar|me|tener|que|venga|otra|buscando|pidiendo))* (?:(?:{kind}) )*(?:alguien|nadie|{staff})(?: real)?`,
	`(?:sin|en vez de|en lugar de|antes de|evitar|prefiero no|para no|no hace falta)(?: (?:tener que|necesidad de|que|hablar|hablarle|llamar|llamarle|molestar|ir|pasar|ver|esperar|contactar))*(?: (?:con|a|al|un|una|la|el|ningun|ninguna))* (?:{staff}|alguien|nadie)`,
	`(?:cuando|si|antes de que|despues de que|hasta que|en caso de que) (?:yo )?(?:llame|llamo|hable|hablo|llamara|hablara)(?: (?:con|a|al))* (?:(?:un|una|la|el) )?(?:{staff}|alguien)`,
	`(?:tengo|tendre|tendria|hay|es necesario|debo|hace falta) (?:que )?(?:hablar|llamar|ir|ver)(?:le)?(?: (?:con|a|al))* (?:(?:un|una|la|el) )?(?:{staff}|alguien) para (?:terminar|seguir|continuar|esto|acabar|cambiar)`,
	`(?:alguien|una persona|un tecnico|el tecnico|la gente|un senor|la mesa de ayuda|soporte|mi jefe|mi jefa|mi supervisor|mi supervisora|el encargado|mi gerente)(?: (?:me|ya|le|lo|la|se|mas))* (?:dijo|dijeron|mando|mandaron|robo|robaron|llamo|esta|tiene|uso|usa|cambio|hackeo|entro|pidio|dio|sabe|quiere|ve|ven|vea|lee|lea|escribio)`,
	`(?:puede|pueden|podria|podran|podra|va a poder|van a poder|va a|van a|sabe|que)(?: (?:alguien|una persona|otra persona|mi jefe|mi jefa|la gente|otro|otra|ustedes|mi supervisor))? (?:ver|leer|saber|rastrear|espiar|escuchar|entrar|revisar|robar|usar)(?: (?:alguien|mi jefe|mi jefa|mi supervisor|la gente))?`,
	`con quien (?:hablo|estoy hablando|tengo el gusto|platico|chateo|converso)(?: yo)?$`,
	`(?:mi|su|tu|nuestro|nuestra) (?:jefe|jefa|supervisor|supervisora|gerente|companero|companera|manager|secretaria|asistente)`,
	`(?:en|una|por|cada) persona(?: (?:sin|que no|mayor))`,
	`no (?:hay )?soporte para`,
	`(?:otro|nuevo) (?:telefono|numero|codigo|celular|metodo)`,
)

var stopSpanish = compile(true, map[string]string{
	"fill": `por favor|porfa|ok|ya|ahora|ahorita|quiero|quisiera|mejor|pues|bueno|yo|esto|todo|aqui|de|el|la|lo|eso|con|proceso|registro|configuracion|chat|conversacion|necesito|deseo|prefiero|vamos|a|disculpe|perdon|perdone|gracias|oiga|mire|este|hoy|tramite|se|puede|puedo|podemos|como|que`,
},
	`(?:(?:{fill}) )*(?:cancelar|cancelo|cancele|cancela|cancelalo|cancelelo|parar|pare|parale|parele|detener|detenga|detente|detengase|salir|salirme|terminar|termine|termina|terminalo|abandonar|basta|alto|anular|stop|exit|quit|cancel|dejar)(?: (?:{fill}))*`,
	`(?:(?:{fill}) )*(?:olvidelo|olvidalo|olvidese|olvide|dejelo|dejalo|dejemoslo|dejame|dejeme|dejenme)(?: (?:asi|ya|en paz|tranquilo|tranquila|todo|hasta aqui|por la paz|de molestar|estar|mejor|por favor))*`,
	`(?:(?:{fill}) )*(?:lo dejo|lo dejamos|hasta aqui llego|hasta aqui nomas|hasta aqui|me rindo|me salgo|me voy a salir|ya me canse|ya estuvo|renuncio|ya no sigo|no sigo)(?: (?:asi|ya|nomas|por hoy|de esto|por favor|con esto|mas))*`,
	`(?:(?:mejor|ya|pues|sabe que) )*no (?:quiero|deseo|pienso|voy a)(?: (?:ya|mas))?(?: (?:seguir|continuar|hacer|hacerlo|terminar))(?: (?:con|mas|esto|esta cosa|nada|eso|adelante|de esto|por favor|ya))*`,
	`ya no (?:quiero|deseo|voy a)(?: (?:seguir|continuar|hacer|hacerlo|nada|esto|mas|saber|saber nada|con esto|eso))*`,
	`(?:ya )?no me (?:escriba|escribas|escriban|mande|manden|mandes|moleste|molesten|molestes|contacten|envien)(?: (?:mas|mensajes|nada|por favor|ya|textos))*`,
	`(?:deje|deja|dejen|pare|paren|para) de (?:escribirme|molestar|molestarme|mandarme|enviarme)(?: (?:mensajes|textos|por favor|cosas|ya))*`,
)

// patterns are those of all languages, in the order in which they are tried.
var patterns = []commands{
	{"en", notHumanEnglish, humanEnglish, stopEnglish},
	{"es", notHumanSpanish, humanSpanish, stopSpanish},
}
